"""The library's errors: they belong to both families, and survive every way that an exception may take."""

from __future__ import annotations

import copy
import json
import pickle
import types
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import common as rpc_common

from cells import exceptions, failure
from cells.rpc import exceptions as module
from cells.rpc.exceptions import MessageDeliveryFailure, RemoteError, RPCException, Timeout, of_answer, translated
from tests.cases import each

TIMEOUT = Timeout("late", cell="east")
LOST = MessageDeliveryFailure("lost", cell="east")
REMOTE = RemoteError("OutOfStock", "no disks", ["line 1", "line 2"])
BOTH = [
    (TIMEOUT, oslo_messaging.MessagingTimeout),
    (LOST, oslo_messaging.MessageDeliveryFailure),
    (REMOTE, oslo_messaging.RemoteError),
]
KINDS = pytest.mark.parametrize(("error", "family"), BOTH, ids=lambda value: getattr(value, "__name__", ""))


@KINDS
def test_handlers_of_both_families_catch_it(error: Exception, family: type[Exception]) -> None:
    for kind in (family, RPCException, exceptions.CellsError):
        with pytest.raises(kind):
            raise error


@KINDS
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_equals_the_original(error: Any, family: Any, way: Any) -> None:
    again = way(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


@KINDS
def test_it_can_travel_to_another_cell(error: Any, family: Any) -> None:
    again = failure.from_json(failure.to_json(error), [module.__name__])
    assert isinstance(again, type(error))
    assert again.args == error.args
    assert again.cell == error.cell


@KINDS
def test_the_caller_of_a_service_that_raises_it_rebuilds_it(error: Any, family: Any) -> None:
    text = rpc_common.serialize_remote_exception((type(error), error, None))
    again = rpc_common.deserialize_remote_exception(text, [module.__name__])
    assert isinstance(again, type(error))
    assert again.args == error.args


def test_a_remote_error_names_class_and_text() -> None:
    assert (REMOTE.exc_type, REMOTE.value, REMOTE.traceback) == ("OutOfStock", "no disks", ["line 1", "line 2"])
    assert str(REMOTE).startswith("Remote error: OutOfStock no disks\n")
    assert REMOTE.args == ("OutOfStock", "no disks", ["line 1", "line 2"])
    assert REMOTE.message == "OutOfStock: no disks"
    assert RemoteError().args == (None, None, None)


def test_an_unknown_detail_is_refused() -> None:
    with pytest.raises(TypeError):
        Timeout("late", nonsense=1)


@each(
    ("error", "kind"),
    [
        (exceptions.CellTimeout("late", cell="east"), Timeout),
        (exceptions.ServiceTimeout("late", cell="east"), Timeout),
        (exceptions.NeighborUnreachable("away", cell="east"), MessageDeliveryFailure),
        (exceptions.NeighborBusy("full", cell="east"), MessageDeliveryFailure),
        (exceptions.ServiceUnreachable("away", cell="east"), MessageDeliveryFailure),
    ],
)
def test_an_error_of_cells_is_translated(error: exceptions.CellsError, kind: Any) -> None:
    translation = translated(error)
    assert type(translation) is kind
    assert (translation.message, translation.cell) == (error.message, "east")
    assert translation.__cause__ is error


def test_an_error_that_the_manager_could_not_rebuild_is_a_remote_error() -> None:
    error = exceptions.RemoteError("X: y", exc_type="X", value="y", traceback=["a\n", "b\n"])
    translation = translated(error)
    assert isinstance(translation, RemoteError)
    assert (translation.exc_type, translation.value, translation.traceback) == ("X", "y", "a\nb\n")
    assert isinstance(translated(exceptions.RemoteError("bare")), RemoteError)


@each("error", [exceptions.CellNotFound("no"), exceptions.ServiceNotAllowed("no"), exceptions.ManagerBusy("no")])
def test_other_errors_are_not_translated(error: exceptions.CellsError) -> None:
    assert translated(error) is error


def transport(*modules: str) -> Any:
    driver = types.SimpleNamespace(_allowed_remote_exmods=list(modules))
    return types.SimpleNamespace(_driver=driver)


def failure_of(name: str, of_module: str, *args: Any) -> dict[str, str]:
    data = {"class": name, "module": of_module, "message": "m", "tb": ["t"], "args": args, "kwargs": {}}
    return {"failure": json.dumps(data)}


def test_a_result_has_no_error() -> None:
    assert of_answer({"result": None}, transport()) is None


def test_an_error_without_a_traceback_names_the_log_record_that_has_it() -> None:
    text = json.dumps({"class": "OutOfStock", "module": "shop", "message": "no", "tb": [], "log_id": "id-7"})
    error = of_answer({"failure": text}, transport())
    assert isinstance(error, RemoteError)
    assert error.value == "no"
    assert "id-7" in str(error)


def test_a_failure_is_rebuilt_if_the_transport_allows_it() -> None:
    answer = failure_of("CellNotFound", "cells.exceptions", "no")
    rebuilt = of_answer(answer, transport("cells.exceptions"))
    assert isinstance(rebuilt, exceptions.CellNotFound)
    refused = of_answer(answer, transport())
    assert isinstance(refused, RemoteError)
    assert (refused.exc_type, refused.value, refused.traceback) == ("CellNotFound", "m", ["t"])
    assert isinstance(of_answer(failure_of("ValueError", "builtins", "no"), transport()), ValueError)


@each(
    "text",
    [None, 7, [], {}, "", "no JSON", "[]", "7", '{"class": 1}', '{"tb": 7}', "[" * 100_000]
    + [
        failure_of(name, "builtins")["failure"]
        for name in ("KeyboardInterrupt", "SystemExit", "open", "UnicodeDecodeError")
    ]
    + [json.dumps({"class": "ValueError", "module": "builtins", "args": 7})],
    ids=lambda value: str(value)[:30],
)
def test_a_malformed_failure_is_an_error_and_runs_nothing(text: Any) -> None:
    error = of_answer({"failure": text}, transport())
    assert isinstance(error, (RemoteError, exceptions.MalformedMessage))
    assert str(error)


@each("text", [None, 7, "", "no JSON", "[]", "{}"])
def test_a_malformed_error_is_an_error(text: Any) -> None:
    assert isinstance(of_answer({"error": text}, transport()), RemoteError)

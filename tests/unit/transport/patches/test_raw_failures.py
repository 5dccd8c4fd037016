"""Patch raw_failures: an exception of a service reaches the other cell as oslo.messaging wrote it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import amqpdriver
from oslo_messaging._drivers import common as rpc_common

from cells.brokerless import driver as zmq_driver
from cells.transport.patches import raw_failures
from cells.transport.patches.raw_failures import KEEP, RAW_FAILURES, RawFailure
from tests.cases import each
from tests.unit.services.conftest import MakeTransport, Serve


class OutOfStock(Exception):
    """Of a module that no manager knows."""

    def __init__(self, kind: str, *, left: int = 0) -> None:
        super().__init__(kind)
        self.kwargs = {"left": left}
        self.left = left


class Failing:
    def own(self, ctxt: dict[str, Any]) -> None:
        raise OutOfStock("disks", left=3)

    def builtin(self, ctxt: dict[str, Any]) -> None:
        raise ValueError("no number")

    def fine(self, ctxt: dict[str, Any]) -> str:
        return "fine"


@pytest.fixture(autouse=True)
def installed() -> None:
    RAW_FAILURES.apply()


def client(transport: Any) -> Any:
    return oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic="failing"), timeout=10)


def test_a_transport_that_keeps_failures_raises_the_text(make_transport: MakeTransport, serve: Serve) -> None:
    serve("failing", Failing())
    keeping = client(make_transport(KEEP))
    for method, name in (("own", "OutOfStock"), ("builtin", "ValueError")):
        with pytest.raises(RawFailure) as caught:
            keeping.call({}, method)
        assert json.loads(caught.value.text)["class"] == name
        assert raw_failures.text_of(caught.value) == caught.value.text
    assert keeping.call({}, "fine") == "fine"


def test_others_of_the_same_process_rebuild_errors_as_ever(make_transport: MakeTransport, serve: Serve) -> None:
    serve("failing", Failing())
    with pytest.raises(OutOfStock) as caught:
        client(make_transport([__name__])).call({}, "own")
    assert type(caught.value).__name__ == "OutOfStock_Remote"
    assert caught.value.left == 3
    with pytest.raises(oslo_messaging.RemoteError, match="OutOfStock disks"):
        client(make_transport()).call({}, "own")


def test_a_kept_text_is_rebuilt_where_its_class_is_known(make_transport: MakeTransport, serve: Serve) -> None:
    serve("failing", Failing())
    with pytest.raises(RawFailure) as caught:
        client(make_transport(KEEP)).call({}, "own")
    rebuilt = rpc_common.deserialize_remote_exception(caught.value.text, [__name__])
    assert isinstance(rebuilt, OutOfStock)
    assert rebuilt.left == 3


def test_to_install_it_twice_is_no_error() -> None:
    reader = rpc_common.deserialize_remote_exception
    assert RAW_FAILURES.apply()
    assert rpc_common.deserialize_remote_exception is reader


@pytest.mark.parametrize("module", [amqpdriver, zmq_driver], ids=lambda module: module.__name__)
def test_drivers_look_the_function_up_when_they_call_it(module: Any) -> None:
    """A driver that imported the function itself would not see that it was replaced."""
    assert module.rpc_common is rpc_common
    assert not hasattr(module, "deserialize_remote_exception")
    assert "rpc_common.deserialize_remote_exception(" in Path(module.__file__).read_text(encoding="utf-8")


def test_the_list_that_keeps_gets_through_to_the_driver_and_names_no_module(make_transport: MakeTransport) -> None:
    assert make_transport(KEEP)._driver._allowed_remote_exmods is KEEP
    assert bool(KEEP)
    assert list(KEEP) == []
    assert len(KEEP) == 0
    assert "builtins" not in KEEP


@each("data", ["", "no JSON", b"bytes", None, {"class": "Größe"}])
def test_a_kept_text_is_not_parsed(data: Any) -> None:
    error = rpc_common.deserialize_remote_exception(data, KEEP)
    assert isinstance(error, RawFailure)
    assert error.text == str(data)


def test_an_error_that_came_as_an_object_is_written_as_oslo_messaging_would() -> None:
    with pytest.raises(OutOfStock) as caught:
        Failing().own({})
    written = json.loads(raw_failures.text_of(caught.value))
    assert (written["class"], written["module"], written["args"]) == ("OutOfStock", __name__, ["disks"])
    assert written["kwargs"] == {"left": 3}


def test_a_failure_can_be_copied() -> None:
    assert pickle.loads(pickle.dumps(RawFailure("{}"))).text == "{}"

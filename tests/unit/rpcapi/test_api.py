"""The client of the manager: the errors that it raises, before and after a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
import kombu.exceptions
import oslo_messaging
import pytest
from oslo_messaging._drivers import common as rpc_common

from cells import conf as cells_conf
from cells import exceptions
from cells.rpcapi import CellsAPI
from cells.rpcapi.api import VERSION
from cells.transport import open_transport


@pytest.fixture(scope="module")
def transport() -> Iterator[Any]:
    opened = open_transport(cells_conf.load([]), "fake:")
    yield opened
    opened.cleanup()


@pytest.mark.parametrize("cap", ["grizzly", "", "0.9", "2.0", "1.x"])
def test_an_unusable_cap_is_an_error_at_once(transport: Any, cap: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"\[upgrade_levels\] cells"):
        CellsAPI(transport, version_cap=cap)


@pytest.mark.parametrize("cap", [None, VERSION, "1.7"])
def test_a_usable_cap(transport: Any, cap: str | None) -> None:
    CellsAPI(transport, version_cap=cap)


@pytest.mark.parametrize("timeout", ["5", -1, 1e9])
def test_a_timeout_that_is_no_number_of_seconds(transport: Any, timeout: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        CellsAPI(transport).call({}, "east", "ping", timeout=timeout)


class OutOfStock(Exception):
    """An error of a service, whose constructor changes its text."""

    def __init__(self, item: str) -> None:
        super().__init__(f"no {item}")


class Client:
    """Stands for oslo.messaging's client whose server raises ``error``."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def prepare(self, **_: Any) -> Client:
        return self

    def call(self, *_: Any, **__: Any) -> Any:
        raise self._error


def raised_by_api(transport: Any, error: Exception) -> Exception:
    api = CellsAPI(transport)
    api._client = Client(error)
    with pytest.raises(type(error).__mro__[1]) as caught:
        api.call({}, "east", "count")
    return caught.value


@pytest.mark.parametrize(
    ("error", "text"),
    [(exceptions.CellNotFound("No such cell.", cell="x"), "No such cell."), (OutOfStock("b"), "no no b")],
)
def test_an_error_that_oslo_messaging_rebuilds_has_its_own_text(transport: Any, error: Exception, text: str) -> None:
    sent = rpc_common.serialize_remote_exception((type(error), error, None))
    rebuilt = rpc_common.deserialize_remote_exception(sent, [type(error).__module__])
    assert str(rebuilt) != text
    found = raised_by_api(transport, rebuilt)
    assert (str(found), type(found).__name__) == (text, f"{type(error).__name__}_Remote")
    assert isinstance(found, type(error))
    assert vars(found) == vars(rebuilt)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (oslo_messaging.MessagingTimeout(), exceptions.ManagerTimeout),
        (oslo_messaging.RPCVersionCapError(version="1.1", version_cap="1.0"), exceptions.RPCVersionCapError),
        (oslo_messaging.RemoteError("OutOfStock", "no b", []), exceptions.RemoteError),
        (ConnectionResetError(), ConnectionResetError),
        (kombu.exceptions.OperationalError("gone"), oslo_messaging.MessageDeliveryFailure),
        (amqp.AccessRefused("no"), oslo_messaging.MessageDeliveryFailure),
    ],
)
def test_errors_of_the_transport_are_errors_of_cells_where_there_is_one(
    transport: Any, error: Exception, kind: type[Exception]
) -> None:
    api = CellsAPI(transport)
    api._client = Client(error)
    api._client.version_cap = "1.0"
    with pytest.raises(kind):
        api.locate({}, "east")


def endless() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    "kwargs",
    [{"x": object()}, {"x": float("nan")}, {"x": endless()}, {"x": {(1, 2): 3}}, {1: "x"}, ["x"]],
    ids=["object", "nan", "cycle", "key", "name", "list"],
)
def test_arguments_without_a_json_form_are_refused_before_they_are_sent(transport: Any, kwargs: Any) -> None:
    """(case F5)"""
    api = CellsAPI(transport)
    api._client = Client(AssertionError("sent"))
    requests: list[Callable[[], object]] = [
        lambda: api.call({}, "east", "count", kwargs),
        lambda: api.cast({}, "east", "count", kwargs),
        lambda: api.broadcast_call({}, "count", kwargs),
        lambda: api.broadcast_stream({}, "count", kwargs),
        lambda: api.broadcast_cast({}, "count", kwargs),
        lambda: api.report_capacities({}, kwargs),
        lambda: api.call(kwargs, "east", "count"),
        lambda: api.status(kwargs),
    ]
    for send in requests:
        with pytest.raises(exceptions.InvalidArguments):
            send()

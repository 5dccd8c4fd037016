from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import exceptions
from tests.cases import each
from tests.unit.rpc.own_cell import configured

COUNT = {"method": "count"}


@pytest.fixture
def own_cell() -> Iterator[None]:
    with configured() as conf:
        cells.rpc.init(conf)
        yield
        cells.rpc.cleanup()


FUNCTIONS: dict[str, Any] = {
    "call": cells.rpc.call,
    "cast": cells.rpc.cast,
    "fanout_cast": cells.rpc.fanout_cast,
    "multicall": cells.rpc.multicall,
    "broadcast": cells.rpc.broadcast,
}


@each("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
@each(
    ("context", "topic", "msg", "reason"),
    [
        (None, "inventory", COUNT, "context"),
        ({}, "", COUNT, "A topic"),
        ({}, "inventory", "count", "A message"),
        ({}, "inventory", {"methods": "count"}, "not methods"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    own_cell: None, function: Any, context: Any, topic: str, msg: Any, reason: str
) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=reason):
        function(context, topic, msg)


@each("name", ["cast", "fanout_cast", "multicall"])
def test_one_cell_or_many(own_cell: None, name: str) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        FUNCTIONS[name]({}, "inventory", COUNT, cell="east", cells="down")
    with pytest.raises(exceptions.InvalidArguments, match="'down', 'up' or a list"):
        FUNCTIONS[name]({}, "inventory", COUNT, cells="east")


@each("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_functions_before_init_raise(function: Any) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"cells\.rpc\.init"):
        function({}, "inventory", COUNT)


class Counter:
    def count(self, context: Any, kind: str) -> str:
        return kind

    def wait(self, context: Any) -> None:
        raise oslo_messaging.MessagingTimeout("of another call")


def test_calls_of_the_own_cell_need_no_manager(own_cell: None) -> None:
    connection = cells.rpc.create_connection(new=False)
    connection.create_consumer("inventory", Counter())
    connection.consume_in_thread()
    disk = {"method": "count", "args": {"kind": "disk"}}
    assert cells.rpc.call({}, "inventory", disk, 5) == "disk"
    assert list(cells.rpc.multicall({}, "inventory", disk, 5)) == [(0, "disk")]
    with pytest.raises(cells.rpc.RemoteError) as caught:
        cells.rpc.call({}, "inventory", {"method": "wait"}, 5)
    assert caught.value.exc_type == "MessagingTimeout"


def test_fanout_without_consumers_is_no_error(own_cell: None) -> None:
    cells.rpc.fanout_cast({}, "inventory", COUNT)


def test_the_own_cell_raises_the_same_errors_as_other_cells(own_cell: None) -> None:
    with pytest.raises(cells.rpc.RPCException) as caught:
        cells.rpc.call({}, "inventory", COUNT, 0.2)
    assert isinstance(caught.value, (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure))
    ((n, error),) = cells.rpc.multicall({}, "inventory", COUNT, 0.2)
    assert n == 0
    assert isinstance(error, cells.rpc.RPCException)


def test_a_stopped_manager_is_a_timeout(own_cell: None) -> None:
    with pytest.raises(cells.rpc.RPCException):
        cells.rpc.call({}, "inventory", COUNT, 0.2, cell="east")

"""Functions and connections of cells.rpc, between the services of two cells."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import oslo_messaging
import pytest
from oslo_context import context as oslo_context

import cells.rpc
from cells import exceptions
from cells.rpc import Connection
from cells.testing import CellTree
from tests.functional.cell_tree import wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
WHERE = {"method": "where"}


class OutOfStock(Exception):
    pass


class Unknown(Exception):
    """Error of a module that no caller allows."""

    __module__ = "elsewhere"


class Inventory:
    """Proxy that records its callers and their arguments."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.calls: list[tuple[cells.rpc.CommonRpcContext, Any]] = []
        self.current: list[Any] = []

    def where(self, context: cells.rpc.CommonRpcContext, number: Any = None) -> str:
        self.current.append(cells.rpc.current_context())
        self.calls.append((context, number))
        return self.name

    @cells.rpc.client_exceptions(OutOfStock)
    def take(self, context: cells.rpc.CommonRpcContext, kind: str) -> None:
        raise OutOfStock(kind)

    def fail(self, context: cells.rpc.CommonRpcContext, number: int) -> None:
        raise Unknown(f"cannot\ndo {number}")

    def _private(self, context: cells.rpc.CommonRpcContext) -> None:
        self.calls.append((context, "private"))

    @property
    def numbers(self) -> list[Any]:
        return [number for _, number in self.calls]


class Versioned(Inventory):
    target = oslo_messaging.Target(namespace="admin", version="2.3")


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE) as tree:
        yield tree


@pytest.fixture
def api(tree: CellTree) -> Iterator[None]:
    """Initialize the functions of cells.rpc for a service in the cell api."""
    cells.rpc.init(tree["api"].conf, [OutOfStock.__module__])
    yield
    cells.rpc.cleanup()


@pytest.fixture
def connect(tree: CellTree) -> Iterator[Any]:
    """Factory of connections in a cell, with consumers by topic; closed at the end."""
    made = []

    def connect_in(cell: str, consumers: Mapping[str, object] | None = None) -> Connection:
        connection = Connection(tree[cell].transport)
        made.append(connection)
        for topic, proxy in (consumers or {}).items():
            connection.create_consumer(topic, proxy)
        if consumers:
            connection.consume_in_thread()
        return connection

    yield connect_in
    for connection in made:
        connection.close()
    for cell in tree.cells.values():
        cell.stop_services()


def number(value: Any) -> dict[str, Any]:
    return {"method": "where", "args": {"number": value}}


@pytest.mark.parametrize("cell", ["az1", "api!east!az1", cells.rpc.any_cell(target="az1")], ids=str)
def test_call_of_a_consumer_in_another_cell(tree: CellTree, api: None, connect: Any, cell: Any) -> None:
    inventory = Inventory("az1")
    connect("az1", {"inventory": inventory})
    msg = number(7)
    assert cells.rpc.call({"user_id": "ada"}, "inventory", msg, cell=cell, timeout=5) == "az1"
    assert msg == number(7)
    ((context, value),) = inventory.calls
    assert (context.user_id, value) == ("ada", 7)
    assert inventory.current == [context]
    assert inventory.current[0] is context


@pytest.mark.parametrize(
    "context",
    [cells.rpc.CommonRpcContext(user="ada", roles=["a"]), oslo_context.RequestContext(user_id="ada", overwrite=False)],
    ids=["common", "oslo"],
)
@pytest.mark.parametrize("cell", [None, "west"])
def test_contexts_of_all_kinds_arrive(tree: CellTree, api: None, connect: Any, context: Any, cell: str | None) -> None:
    inventory = Inventory()
    connect(cell or "api", {"inventory": inventory})
    cells.rpc.call(context, "inventory", WHERE, cell=cell, timeout=5)
    received = inventory.calls[0][0]
    assert isinstance(received, cells.rpc.CommonRpcContext)
    expected = context.to_dict()
    assert {key: received.to_dict()[key] for key in expected} == expected


@pytest.mark.parametrize("cell", [None, "api!east!az1"])
def test_service_passes_its_context_on(tree: CellTree, api: None, connect: Any, cell: str | None) -> None:
    class Front:
        """Proxy that calls another service, as an administrator, with a separate client."""

        def where(self, context: cells.rpc.CommonRpcContext) -> Any:
            client = tree["west"].client("inventory", timeout=5)
            return client.prepare(cell=cell).call(context.elevated(), "where", number=1)

    inventory = Inventory("behind")
    for name, topic, proxy in (("west", "front", Front()), (cell or "west", "inventory", inventory)):
        connect(name, {topic: proxy})
    assert cells.rpc.call({"user_id": "ada", "odd": [1]}, "front", WHERE, 5, cell="west") == "behind"
    received = inventory.calls[0][0]
    assert (received.user_id, received.odd, received.roles, received.is_admin) == ("ada", [1], ["admin"], True)


@pytest.mark.parametrize("cell", [None, "az1"])
def test_namespace_and_version(tree: CellTree, api: None, connect: Any, cell: str | None) -> None:
    plain, versioned = Inventory("plain"), Versioned("versioned")
    connect(cell or "api", {"inventory": plain, "admin-inventory": versioned})
    options = {"cell": cell, "timeout": 5}
    admin = {**WHERE, "namespace": "admin", "version": "2.1"}
    assert cells.rpc.call({}, "inventory", WHERE, **options) == "plain"
    assert cells.rpc.call({}, "admin-inventory", admin, **options) == "versioned"
    with pytest.raises(cells.rpc.RemoteError) as caught:
        cells.rpc.call({}, "admin-inventory", {**admin, "version": "2.4"}, **options)
    assert caught.value.exc_type == "UnsupportedVersion"


@pytest.mark.parametrize("cell", [None, "az1"])
def test_errors_are_equal_in_the_own_cell_and_in_another(
    tree: CellTree, api: None, connect: Any, cell: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    inventory = Inventory()
    connect(cell or "api", {"inventory": inventory})
    options = {"cell": cell, "timeout": 5}
    with pytest.raises(OutOfStock, match="disk"):
        cells.rpc.call({}, "inventory", {"method": "take", "args": {"kind": "disk"}}, **options)
    assert not [record for record in caplog.records if record.exc_info]
    with pytest.raises(cells.rpc.RemoteError, match="do 1") as caught:
        cells.rpc.call({}, "inventory", {"method": "fail", "args": {"number": 1}}, **options)
    assert caught.value.exc_type == "Unknown"
    with pytest.raises(cells.rpc.RemoteError) as caught:
        cells.rpc.call({}, "inventory", {"method": "_private"}, **options)
    assert caught.value.exc_type == "NoSuchMethod"
    assert inventory.calls == []


@pytest.mark.parametrize("cell", [None, "az1"])
def test_no_server(tree: CellTree, api: None, cell: str | None) -> None:
    # Without a broker the absence of a server is known at once; the client retries until the timeout.
    with pytest.raises((cells.rpc.Timeout, cells.rpc.MessageDeliveryFailure)):
        cells.rpc.call({}, "unserved", WHERE, 0.5, cell=cell)


def test_consumers_share_and_fanout_consumers_each_get_a_copy(tree: CellTree, api: None, connect: Any) -> None:
    sharing, copies = [Inventory("a"), Inventory("b")], [Inventory(), Inventory()]
    connection = connect("az1")
    for inventory in sharing:
        connection.create_consumer("inventory", inventory)
    for inventory in copies:
        connection.create_consumer("inventory", inventory, fanout=True)
    connection.consume_in_thread()
    ordinary = Inventory()
    tree["az1"].serve("inventory", ordinary, server="ordinary")
    for value in range(12):
        cells.rpc.cast({}, "inventory", number(value), cell="az1")
    everyone = [*sharing, ordinary]
    wait_for(lambda: sum(len(one.calls) for one in everyone) == 12, "all arrive")
    assert sorted(value for one in everyone for value in one.numbers) == list(range(12))
    assert all(len(one.calls) == 4 for one in everyone)
    cells.rpc.fanout_cast({}, "inventory", number("all"), cell="az1")
    wait_for(lambda: all(one.numbers[-1:] == ["all"] for one in [*copies, ordinary]), "the fan-out arrives")
    # The later message arrives first, so no earlier one was delivered.
    for _ in range(3):
        cells.rpc.call({}, "inventory", number("last"), 5, cell="az1")
    assert [one.numbers[4:] for one in everyone] == [["last"], ["last"], ["all", "last"]]
    assert [one.numbers for one in copies] == [["all"], ["all"]]


def test_fanout_in_this_cell_and_in_many(tree: CellTree, api: None, connect: Any) -> None:
    copies = {name: Inventory(name) for name in ("api", "east", "az1", "west")}
    servers = {name: Inventory(name) for name in copies}
    shared = Inventory()
    for name, inventory in copies.items():
        connection = connect(name)
        connection.create_consumer("inventory", inventory, fanout=True)
        connection.create_consumer("inventory", shared)
        connection.consume_in_thread()
        tree[name].serve("inventory", servers[name])
    for value, where in enumerate(({}, {"cells": "down"}, {"cells": ["east", "west"]})):
        cells.rpc.fanout_cast({}, "inventory", number(value), **where)
    expected = {"api": [0, 1], "east": [1, 2], "az1": [1], "west": [1, 2]}
    for group in (copies, servers):
        wait_for(
            lambda group=group: {name: sorted(one.numbers) for name, one in group.items()} == expected, "all arrive"
        )
    assert shared.calls == []


def test_multicall_numbers_the_answers() -> None:
    # The test stops a cell.
    with CellTree(SHAPE) as tree, contextlib.ExitStack() as stack:
        cells.rpc.init(tree["api"].conf)
        stack.callback(cells.rpc.cleanup)
        for name in ("east", "az1"):
            connection = Connection(tree[name].transport)
            stack.callback(connection.close)
            connection.create_consumer("inventory", Inventory(name))
            connection.consume_in_thread()
        tree["west"].stop()
        with cells.rpc.multicall({}, "inventory", WHERE, 5, cells=["east", "az1", "west"]) as answers:
            received = dict(answers)
        assert list(received) == [0, 1, 2]
        values = list(received.values())
        (error,) = (value for value in values if isinstance(value, Exception))
        assert isinstance(error, cells.rpc.MessageDeliveryFailure)
        assert error.cell == "west"
        assert {value for value in values if value is not error} == {"east", "az1"}


def test_a_multicall_ends_by_need_or_close(tree: CellTree, api: None, connect: Any) -> None:
    for name in ("east", "az1"):
        connect(name, {"inventory": Inventory(name)})
    assert [n for n, _ in cells.rpc.multicall({}, "inventory", WHERE, 5, cells=["east", "az1"], need=1)] == [0]
    answers = cells.rpc.multicall({}, "inventory", WHERE, 5, cells=["east", "az1"])
    assert next(answers)[0] == 0
    answers.close()
    answers.close()
    assert list(answers) == []


@pytest.mark.parametrize("cell", [None, "az1"])
def test_multicall_of_one_cell(tree: CellTree, api: None, connect: Any, cell: str | None) -> None:
    connect(cell or "api", {"inventory": Inventory("one")})
    assert list(cells.rpc.multicall({}, "inventory", WHERE, 5, cell=cell)) == [(0, "one")]
    take = {"method": "take", "args": {"kind": "disk"}}
    ((n, error),) = cells.rpc.multicall({}, "inventory", take, 5, cell=cell)
    assert n == 0
    assert isinstance(error, OutOfStock)


def test_each_pool_gets_each_event_once_and_its_workers_share(tree: CellTree, api: None, connect: Any) -> None:
    workers, other, elsewhere = [Inventory(), Inventory()], Inventory(), Inventory()
    messages: list[dict[str, Any]] = []
    users: list[str] = []

    def callback(message: dict[str, Any]) -> None:
        messages.append(message)
        current = cells.rpc.current_context()
        assert current is not None
        users.append(current.user_id)

    connection = connect("az1")
    for worker in workers:
        connection.create_worker("changes", worker, "billing")
    connection.join_consumer_pool(callback, "audit", "changes")
    connection.create_worker("other-changes", other, "billing")
    connection.consume_in_thread()
    second = connect("west")
    second.create_worker("changes", elsewhere, "billing")
    second.consume_in_thread()
    for value in range(10):
        cells.rpc.broadcast({"user_id": "ada"}, "changes", number(value))
    cells.rpc.broadcast({}, "other-changes", number("other"), cells=["az1"])
    wait_for(lambda: sum(len(worker.calls) for worker in workers) == 10, "the workers have all")
    wait_for(lambda: len(messages) == 10 and len(elsewhere.calls) == 10 and other.calls, "the others have all")
    assert sorted(value for worker in workers for value in worker.numbers) == list(range(10))
    assert all(worker.calls for worker in workers)
    assert sorted(elsewhere.numbers) == list(range(10))
    assert sorted(message["args"]["number"] for message in messages) == list(range(10))
    assert messages[0].keys() == {"method", "args"}
    assert set(users) == {"ada"}
    assert other.numbers == ["other"]


def test_a_failing_event_handler_is_logged_and_delays_no_other_event(
    tree: CellTree, api: None, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    inventory = Inventory()
    connection = connect("az1")
    connection.create_worker("changes", inventory, "billing")
    connection.consume_in_thread()
    for msg in ({"method": "fail", "args": {"number": 1}}, {"method": "_private"}, number(2)):
        cells.rpc.broadcast({}, "changes", msg, cells=["az1"])
    wait_for(lambda: inventory.numbers == [2], "the good one is handled")
    wait_for(lambda: len(lines(caplog)) == 2, "the others are logged")
    failed, unknown = sorted(lines(caplog))
    assert "_private" in failed
    assert "NoSuchMethod" in failed
    assert "'fail' is lost to the pool billing of changes: Unknown: cannot do 1" in unknown
    assert not any("\n" in line for line in lines(caplog))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage() for record in caplog.records if record.name == "cells.rpc.pools" and record.levelno > 10
    ]


def test_event_in_an_envelope_of_a_later_version_is_dropped(
    tree: CellTree, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    inventory = Inventory()
    connection = connect("az1")
    connection.create_worker("changes", inventory, "billing")
    connection.consume_in_thread()
    notifier = oslo_messaging.Notifier(tree["az1"].transport, "else", driver="messagingv2", topics=["changes"])
    notifier.info({}, "where", {**cells.rpc.serialize_msg(number(1)), "oslo.version": "3.0"})
    notifier.info({}, "where", "no message")
    notifier.info({}, "where", cells.rpc.serialize_msg(number(2)))
    wait_for(lambda: inventory.numbers == [2], "the good one is handled")
    wait_for(lambda: len(lines(caplog)) == 2, "the others are logged")
    assert any("'3.0'" in line and "upgrade" in line for line in lines(caplog))


def test_event_without_a_pool_and_a_refused_one(tree: CellTree, api: None) -> None:
    cells.rpc.broadcast({}, "changes", WHERE, cells=["az1", "west"])
    with pytest.raises(exceptions.InvalidArguments):
        cells.rpc.broadcast({}, "changes", WHERE, cells="sideways")
    with pytest.raises(exceptions.CellNotFound):
        cells.rpc.broadcast({}, "changes", WHERE, cells=["nowhere"])


def test_cell_that_does_not_allow_it(connect: Any) -> None:
    options = {"west": {"cells": {"allowed_services": ["changes"]}}}
    with CellTree(SHAPE, cell_options=options) as tree:
        cells.rpc.init(tree["api"].conf)
        heard = Inventory()
        connection = Connection(tree["west"].transport)
        connection.create_worker("changes", heard, "all")
        connection.create_worker("secrets", heard, "all")
        connection.consume_in_thread()
        try:
            with pytest.raises(exceptions.ServiceNotAllowed):
                cells.rpc.call({}, "inventory", WHERE, 5, cell="west")
            cells.rpc.broadcast({}, "secrets", number(1), cells=["west"])
            cells.rpc.broadcast({}, "changes", number(2), cells=["west"])
            wait_for(lambda: heard.calls, "the allowed one arrives")
            assert heard.numbers == [2]
        finally:
            connection.close()
            cells.rpc.cleanup()


@pytest.mark.parametrize("new", [True, False])
def test_connection_of_the_module_in_the_called_cell(tree: CellTree, new: bool) -> None:
    cells.rpc.init(tree["az1"].conf)
    try:
        inventory = Inventory("az1")
        with cells.rpc.create_connection(new=new) as connection:
            connection.consume_in_thread()
            # A later consumer starts at once.
            connection.create_consumer("inventory", inventory)
            assert tree["west"].client("inventory", timeout=5).prepare(cell="api!east!az1").call({}, "where") == "az1"
            assert cells.rpc.call({}, "inventory", WHERE, 5) == "az1"
        connection.close()
        for use in (
            connection.consume_in_thread,
            lambda: connection.create_consumer("inventory", inventory),
            lambda: connection.create_worker("inventory", inventory, "pool"),
            lambda: connection.join_consumer_pool(print, "pool", "inventory"),
        ):
            with pytest.raises(cells.rpc.InvalidRPCConnectionReuse):
                use()
        # The shared transport is still open.
        cells.rpc.fanout_cast({}, "inventory", WHERE)
        again = cells.rpc.create_connection(new)
        again.create_consumer("inventory", inventory)
        again.consume_in_thread()
    finally:
        cells.rpc.cleanup()
        cells.rpc.cleanup()
    with pytest.raises(cells.rpc.InvalidRPCConnectionReuse):
        again.consume_in_thread()


def test_close_waits_for_a_running_call_until_its_timeout(
    tree: CellTree, api: None, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow:
        def work(self, context: Any) -> str:
            began.set()
            go_on.wait(30)
            return "done"

    connection = connect("az1", {"slow": Slow()})
    answers: list[Any] = []
    caller = threading.Thread(
        target=lambda: answers.append(cells.rpc.call({}, "slow", {"method": "work"}, 20, cell="az1"))
    )
    caller.start()
    assert began.wait(10)
    closing = threading.Thread(target=connection.close)
    closing.start()
    wait_for(lambda: connection._is_closed, "it closes")
    go_on.set()
    closing.join(10)
    caller.join(10)
    assert answers == ["done"]
    began.clear()
    go_on.clear()
    stuck = connect("az1", {"slow": Slow()})
    cells.rpc.cast({}, "slow", {"method": "work"}, cell="az1")
    assert began.wait(10)
    stuck.close(timeout_seconds=0.05)
    assert "1 of 1" in caplog.text
    go_on.set()


def test_init_is_needed_exactly_once(tree: CellTree) -> None:
    for use in (lambda: cells.rpc.call({}, "inventory", WHERE), cells.rpc.create_connection):
        with pytest.raises(exceptions.ConfigurationError, match=r"cells\.rpc\.init\(conf\)"):
            use()
    cells.rpc.init(tree["api"].conf)
    with pytest.raises(exceptions.ConfigurationError, match="cleanup"):
        cells.rpc.init(tree["east"].conf)
    cells.rpc.cleanup()
    cells.rpc.init(tree["east"].conf)
    cells.rpc.cleanup()

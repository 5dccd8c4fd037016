"""Calls of services in other cells: two cells away, down, up and across."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import exceptions
from cells.testing import CellTree
from tests.cases import each
from tests.functional.cell_tree import TIMEOUT_SECONDS, wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
CONTEXT = {"user_id": "ada", "roles": ["member"]}


class OutOfStock(Exception):
    def __init__(self, kind: str, left: int) -> None:
        super().__init__(kind, left)
        self.left = left


class Foreign(Exception):
    """Error of a module that clients do not rebuild; see __module__ below."""


Foreign.__module__ = "somewhere.else"


class Inventory:
    """Plain oslo.messaging service."""

    target = oslo_messaging.Target(version="1.3")

    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.seen: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self.gate = threading.Event()

    def count(self, ctxt: dict[str, Any], kind: Any = None) -> Any:
        self.seen.put((self.cell, ctxt, kind))
        return [self.cell, kind]

    def take(self, ctxt: dict[str, Any], kind: str) -> None:
        raise OutOfStock(kind, 3)

    def break_down(self, ctxt: dict[str, Any]) -> None:
        raise Foreign("it broke")

    def divide(self, ctxt: dict[str, Any]) -> float:
        return 1 / 0

    @oslo_messaging.expected_exceptions(OutOfStock)
    def take_expected(self, ctxt: dict[str, Any], kind: str) -> None:
        raise OutOfStock(kind, 0)

    def not_a_number(self, ctxt: dict[str, Any]) -> float:
        return float("nan")

    def wait(self, ctxt: dict[str, Any]) -> None:
        self.seen.put((self.cell, ctxt, None))
        self.gate.wait(TIMEOUT_SECONDS)


class Admin:
    target = oslo_messaging.Target(namespace="admin", version="2.0")

    def reset(self, ctxt: dict[str, Any]) -> str:
        return "reset"


class Deployment:
    def __init__(self, tree: CellTree) -> None:
        self.tree = tree
        self.inventories: dict[str, Inventory] = {}
        for name in ("api", "east", "az1", "west"):
            inventory = self.inventories[name] = Inventory(name)
            tree[name].serve("inventory", inventory, Admin())

    def client(self, source: str, target: Any, **options: Any) -> Any:
        return self.tree[source].client("inventory", **{"timeout": TIMEOUT_SECONDS, **options}).prepare(cell=target)


@pytest.fixture(scope="module")
def shared() -> Iterator[Deployment]:
    with CellTree(SHAPE, exception_modules=[__name__]) as tree:
        yield Deployment(tree)


@pytest.fixture
def deployment(shared: Deployment) -> Iterator[Deployment]:
    for inventory in shared.inventories.values():
        inventory.gate.clear()
        while not inventory.seen.empty():
            inventory.seen.get()
    yield shared
    # After a test that fails, too, no method waits.
    for inventory in shared.inventories.values():
        inventory.gate.set()


@pytest.mark.parametrize(
    ("source", "target", "arrives"),
    [
        ("api", "api!east!az1", "az1"),
        ("api", "az1", "az1"),
        ("az1", "api", "api"),
        ("az1", "api!west", "west"),
        ("west", "api!east", "east"),
        ("east", "east", "east"),
    ],
)
def test_a_call_reaches_any_cell(deployment: Deployment, source: str, target: str, arrives: str) -> None:
    assert deployment.client(source, target).call(CONTEXT, "count", kind="disk") == [arrives, "disk"]
    _, ctxt, _ = deployment.inventories[arrives].seen.get(timeout=TIMEOUT_SECONDS)
    assert {key: ctxt[key] for key in CONTEXT} == CONTEXT


def test_without_a_cell_the_call_bypasses_the_manager(deployment: Deployment) -> None:
    client = deployment.tree["east"].client("inventory", timeout=TIMEOUT_SECONDS)
    before = deployment.tree["east"].managers[0].counters.as_dict()
    assert client.call({}, "count") == ["east", None]
    assert client.prepare(cell="az1").prepare(cell=None).call({}, "count") == ["east", None]
    assert deployment.tree["east"].managers[0].counters.as_dict() == before


@each("value", [None, 0, "", "Größe\n\0\u2028", [1, [2, {"a": None}]], {"result": 1, "error": "x"}, 2**70, 0.1])
def test_values_arrive_unchanged(deployment: Deployment, value: Any) -> None:
    assert deployment.client("api", "az1").call({}, "count", kind=value) == ["az1", value]


def test_errors_of_an_allowed_module_are_raised_again(deployment: Deployment) -> None:
    for method, left in (("take", 3), ("take_expected", 0)):
        with pytest.raises(OutOfStock) as caught:
            deployment.client("api", "az1").call({}, method, kind="disk")
        assert type(caught.value).__name__ == "OutOfStock_Remote"
        assert caught.value.left == left
    with pytest.raises(ZeroDivisionError):
        deployment.client("api", "az1").call({}, "divide")


def test_other_errors_are_remote_errors_of_cells_and_oslo_messaging(deployment: Deployment) -> None:
    with pytest.raises(cells.rpc.RemoteError) as caught:
        deployment.client("az1", "api!west").call({}, "break_down")
    error = caught.value
    assert isinstance(error, oslo_messaging.RemoteError)
    assert isinstance(error, exceptions.CellsError)
    assert (error.exc_type, error.value) == ("Foreign", "it broke")
    # The traceback stays in the cell where the error occurs.
    assert "break_down" not in str(error)


@each(
    ("options", "method", "exc_type"),
    [
        ({}, "nowhere", "NoSuchMethod"),
        ({"version": "1.4"}, "count", "UnsupportedVersion"),
        ({"namespace": "x"}, "count", "UnsupportedVersion"),
    ],
)
def test_unknown_methods_and_versions_are_errors_of_the_server(
    deployment: Deployment, options: Any, method: str, exc_type: str
) -> None:
    with pytest.raises(cells.rpc.RemoteError) as caught:
        deployment.client("api", "az1").prepare(**options).call({}, method)
    assert caught.value.exc_type == exc_type


def test_namespace_and_version(deployment: Deployment) -> None:
    client = deployment.client("api", "az1").prepare(namespace="admin", version="2.0")
    assert client.call({}, "reset") == "reset"
    assert client.prepare(namespace=None, version="1.2").call({}, "count") == ["az1", None]


def test_a_version_over_the_cap_never_leaves(deployment: Deployment) -> None:
    client = deployment.client("api", "az1").prepare(version_cap="1.2")
    for ask in (client.prepare(version="1.3").call, client.prepare(version="1.3").cast):
        with pytest.raises(oslo_messaging.RPCVersionCapError):
            ask({}, "count")
    assert client.prepare(version="1.2").call({}, "count") == ["az1", None]


def test_one_of_several_servers(deployment: Deployment) -> None:
    for name in ("h1", "h2"):
        deployment.tree["west"].serve("hosts", Inventory(name), server=name)
    client = deployment.tree["az1"].client("hosts", timeout=TIMEOUT_SECONDS).prepare(cell="api!west")
    assert [client.prepare(server=name).call({}, "count")[0] for name in ("h1", "h2", "h1")] == ["h1", "h2", "h1"]


def test_a_cast_and_a_fanout_cast(deployment: Deployment) -> None:
    hosts = [Inventory(f"host-{number}") for number in range(2)]
    for host in hosts:
        deployment.tree["az1"].serve("cast-hosts", host, server=host.cell)
    client = deployment.tree["api"].client("cast-hosts", timeout=TIMEOUT_SECONDS).prepare(cell="az1")
    assert client.cast(CONTEXT, "count", kind="one") is None
    wait_for(lambda: any(not host.seen.empty() for host in hosts), "a worker has the event")
    assert sum(host.seen.qsize() for host in hosts) == 1
    for host in hosts:
        while not host.seen.empty():
            host.seen.get()
    client.prepare(fanout=True).cast(CONTEXT, "count", kind="all")
    assert [host.seen.get(timeout=TIMEOUT_SECONDS)[2] for host in hosts] == ["all", "all"]


def test_a_call_with_fanout_is_an_error_before_the_send(deployment: Deployment) -> None:
    with pytest.raises(oslo_messaging.InvalidTarget):
        deployment.client("api", "az1").prepare(fanout=True).call({}, "count")


def test_a_topic_without_servers_is_an_error_that_names_the_cell(deployment: Deployment) -> None:
    client = deployment.tree["api"].client("unserved", timeout=TIMEOUT_SECONDS).prepare(cell="az1")
    with pytest.raises(cells.rpc.MessageDeliveryFailure, match="unserved:count") as caught:
        client.call({}, "count")
    assert isinstance(caught.value, oslo_messaging.MessageDeliveryFailure)
    assert isinstance(caught.value.__cause__, exceptions.ServiceUnreachable)


@pytest.mark.parametrize(("topic", "reason"), [("unserved", "unserved:count of cell az1"), ("cells", "cells:count")])
def test_a_cast_that_fails_in_the_target_cell_is_logged(
    deployment: Deployment, caplog: pytest.LogCaptureFixture, topic: str, reason: str
) -> None:
    client = deployment.tree["api"].client(topic, timeout=TIMEOUT_SECONDS).prepare(cell="az1")
    with caplog.at_level(logging.INFO, "cells"):
        client.cast({}, "count")

        # A late line of the start may report that a neighbor is reachable.
        def logged() -> list[str]:
            return [record.getMessage() for record in list(caplog.records) if "takes messages again" not in record.msg]

        wait_for(logged, "line in a log")
    (line,) = logged()
    assert "from api failed, and no caller waits for it" in line
    assert reason in line


def test_a_cell_that_is_not_there_is_an_error_at_once(deployment: Deployment) -> None:
    for ask in (deployment.client("api", "south").call, deployment.client("api", "south").cast):
        with pytest.raises(exceptions.CellNotFound):
            ask({}, "count")


def test_an_answer_that_is_no_json_is_an_error_and_not_silence(deployment: Deployment) -> None:
    with pytest.raises(exceptions.CellsError, match="JSON"):
        deployment.client("api", "az1").call({}, "not_a_number")


def test_an_answer_that_is_too_large_is_an_error_and_not_silence(deployment: Deployment) -> None:
    with pytest.raises(exceptions.MessageTooLarge):
        deployment.client("api", "az1").call({}, "count", kind="x" * 4 * 1024 * 1024)


def test_the_refusal_names_the_setting() -> None:
    options = {"cells": {"allowed_services": "inventory:count,inventory:admin.*"}}
    with CellTree({"api": {"east": {}}}, cell_options={"east": options}) as tree:
        deployed = {name: Inventory(name) for name in ("api", "east")}
        for name, inventory in deployed.items():
            tree[name].serve("inventory", inventory, Admin())
        client = tree["api"].client("inventory", timeout=TIMEOUT_SECONDS).prepare(cell="east")
        assert client.call({}, "count") == ["east", None]
        assert client.prepare(namespace="admin", version="2.0").call({}, "reset") == "reset"
        with pytest.raises(exceptions.ServiceNotAllowed, match="allowed_services = inventory:divide") as caught:
            client.call({}, "divide")
        assert caught.value.cell == "east"
        # Services of the same cell may call each other through their manager, too.
        own = tree["east"].client("inventory", timeout=TIMEOUT_SECONDS).prepare(cell="east")
        with pytest.raises(ZeroDivisionError):
            own.call({}, "divide")
        # No entry allows the manager's own methods.
        opened = tree["api"].client("cells", timeout=TIMEOUT_SECONDS)
        with pytest.raises(exceptions.ServiceNotAllowed):
            opened.prepare(cell="east").call({}, "status")


def test_many_waiting_calls_do_not_block_other_calls(deployment: Deployment) -> None:
    inventory = deployment.inventories["az1"]
    waiting = [threading.Thread(target=deployment.client("api", "az1").call, args=({}, "wait")) for _ in range(30)]
    for thread in waiting:
        thread.start()
    for _ in waiting:
        inventory.seen.get(timeout=TIMEOUT_SECONDS)
    assert deployment.client("api", "az1").call({}, "count") == ["az1", None]
    assert deployment.client("az1", "api").call({}, "count") == ["api", None]
    inventory.gate.set()
    for thread in waiting:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()


def test_a_stop_waits_for_calls_of_other_cells_and_answers_them() -> None:
    with CellTree({"api": {"east": {}}}, options={"DEFAULT": {"graceful_shutdown_timeout": 20}}) as tree:
        inventory = Inventory("east")
        tree["east"].serve("inventory", inventory)
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client = tree["api"].client("inventory", timeout=TIMEOUT_SECONDS).prepare(cell="east")
        calling = threading.Thread(target=lambda: answers.put(client.call({}, "wait")))
        calling.start()
        inventory.seen.get(timeout=TIMEOUT_SECONDS)
        stopping = threading.Thread(target=tree["east"].stop)
        stopping.start()
        inventory.gate.set()
        assert answers.get(timeout=TIMEOUT_SECONDS) is None
        stopping.join(TIMEOUT_SECONDS)
        calling.join(TIMEOUT_SECONDS)
        assert not stopping.is_alive()


def test_a_stop_gives_up_calls_that_do_not_end() -> None:
    with CellTree({"api": {"east": {}}}, options={"DEFAULT": {"graceful_shutdown_timeout": 1}}) as tree:
        inventory = Inventory("east")
        tree["east"].serve("inventory", inventory)
        client = tree["api"].client("inventory", timeout=600).prepare(cell="east")

        def call() -> None:
            with pytest.raises(exceptions.ManagerStopping):
                client.call({}, "wait")
            ended.set()

        ended = threading.Event()
        calling = threading.Thread(target=call)
        calling.start()
        inventory.seen.get(timeout=TIMEOUT_SECONDS)
        started = time.monotonic()
        tree["east"].stop()
        assert time.monotonic() - started < 5
        # The answer never reaches the caller's manager; the caller gets an error when this manager stops.
        tree["api"].stop()
        assert ended.wait(TIMEOUT_SECONDS)
        inventory.gate.set()
        calling.join(TIMEOUT_SECONDS)

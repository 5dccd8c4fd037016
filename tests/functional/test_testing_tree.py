"""Test tree for authors of services: services, start, and end."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_service import backend

from cells import exceptions
from cells.rpcapi import CellsAPI
from cells.testing import CellTree
from tests.functional.cell_tree import wait_for

SHAPE = {"api": {"east": {"az1": {}}}}
#: Much more than the duration of a call over a transport without polling.
QUICK_SECONDS = 0.5


class SoldOut(Exception):
    """Error of the service."""


class Inventory:
    """Plain oslo.messaging service."""

    target = oslo_messaging.Target(namespace="stock", version="1.3")

    def __init__(self, count: int = 3) -> None:
        self._count = count
        self.casts: list[str] = []

    def count(self, ctxt: dict[str, Any], kind: str) -> int:
        return self._count

    def note(self, ctxt: dict[str, Any], text: str) -> None:
        self.casts.append(text)

    def fail(self, ctxt: dict[str, Any]) -> None:
        raise SoldOut("No disks are left.")


def client(tree: CellTree, cell: str, **options: Any) -> Any:
    target = oslo_messaging.Target(topic="inventory", namespace="stock", version="1.3", **options)
    return oslo_messaging.get_rpc_client(tree[cell].transport, target, timeout=5)


@pytest.fixture(scope="module")
def shared() -> Iterator[CellTree]:
    with CellTree(SHAPE) as tree:
        yield tree


@pytest.fixture
def tree(shared: CellTree) -> Iterator[CellTree]:
    """A tree that tests share, without services."""
    yield shared
    for cell in shared.cells.values():
        cell.stop_services()


def threads_of_cells() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("cells")}


def test_a_service_is_a_plain_service_of_its_cell(tree: CellTree) -> None:
    inventory = Inventory()
    tree["az1"].serve("inventory", inventory)
    assert client(tree, "az1").call({}, "count", kind="disk") == 3
    client(tree, "az1", fanout=True).cast({}, "note", text="news")
    wait_for(lambda: inventory.casts == ["news"], "the cast arrives")


def test_services_of_each_cell_are_separate(tree: CellTree) -> None:
    for number, cell in enumerate(("api", "east", "az1")):
        tree[cell].serve("inventory", Inventory(number))
    assert [client(tree, cell).call({}, "count", kind="disk") for cell in ("api", "east", "az1")] == [0, 1, 2]


def test_servers_of_one_topic_have_names(tree: CellTree) -> None:
    for number in (1, 2):
        tree["az1"].serve("inventory", Inventory(number), server=f"host-{number}")
    found = [client(tree, "az1", server=f"host-{number}").call({}, "count", kind="disk") for number in (1, 2)]
    assert found == [1, 2]


def test_exceptions_of_allowed_modules_come_back_as_themselves() -> None:
    for modules, expected in (([__name__], SoldOut), ([], oslo_messaging.RemoteError)):
        with CellTree(SHAPE, exception_modules=modules) as tree:
            tree["az1"].serve("inventory", Inventory())
            with pytest.raises(expected):
                client(tree, "az1").call({}, "fail")


def test_manager_answers_the_services_of_its_cell(tree: CellTree) -> None:
    answer = CellsAPI(tree["api"].transport).call({}, "az1", "ping")
    assert answer["path"] == "api!east!az1"


def test_other_transports_of_a_cell_reach_its_services(tree: CellTree) -> None:
    tree["az1"].serve("inventory", Inventory())
    transport = oslo_messaging.get_rpc_transport(tree["az1"].conf, url=tree["az1"].transport_url)
    try:
        target = oslo_messaging.Target(topic="inventory", namespace="stock", version="1.0")
        assert oslo_messaging.get_rpc_client(transport, target, timeout=5).call({}, "count", kind="disk") == 3
    finally:
        transport.cleanup()


def test_server_may_be_stopped_by_the_test_and_by_the_tree(tree: CellTree) -> None:
    server = tree["az1"].serve("inventory", Inventory())
    server.stop()
    server.wait()
    with pytest.raises((oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure)):
        client(tree, "az1").prepare(timeout=0.2).call({}, "count", kind="disk")


def test_tree_ends_at_once_with_services_that_were_called() -> None:
    def seconds_to_end() -> float:
        with CellTree(SHAPE) as tree:
            tree["az1"].serve("inventory", Inventory())
            assert client(tree, "az1").call({}, "count", kind="disk") == 3
            ending_at = time.monotonic()
        return time.monotonic() - ending_at

    # A busy machine delays some ends; a server that waits delays all.
    assert any(seconds_to_end() < QUICK_SECONDS for _ in range(5))


def test_the_tree_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = threads_of_cells()
    tree = CellTree(SHAPE)
    with tree:
        tree["az1"].serve("inventory", Inventory())
        assert client(tree, "az1").call({}, "count", kind="disk") == 3
    wait_for(lambda: threads_of_cells() <= before, "its threads end")
    assert list(tmp_path.iterdir()) == []
    tree.stop()


class Hanging:
    """Service with a method that runs until the test ends it."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def hang(self, ctxt: dict[str, Any]) -> None:
        self.began.set()
        assert self.may_end.wait(30)


def test_a_method_that_does_not_end_is_named_and_the_rest_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cells.testing.cell.STOP_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    hanging = Hanging()
    try:
        tree = CellTree(SHAPE)
        tree.start()
        tree["az1"].serve("inventory", hanging)
        target = oslo_messaging.Target(topic="inventory")
        oslo_messaging.get_rpc_client(tree["az1"].transport, target).cast({}, "hang")
        assert hanging.began.wait(10)
        with pytest.raises(TimeoutError, match="api!east!az1"):
            tree.stop()
        assert list(tmp_path.iterdir()) == []
    finally:
        hanging.may_end.set()
    wait_for(
        lambda: not [one for one in threads_of_cells() if one.name == "cells-testing-inventory"], "the server ends"
    )


def test_a_stopped_cell_is_dead_for_others_and_its_services_continue() -> None:
    with CellTree(SHAPE) as tree:
        tree["az1"].serve("inventory", Inventory())
        tree["az1"].stop()
        with pytest.raises(exceptions.NeighborUnreachable):
            CellsAPI(tree["east"].transport).call({}, "az1", "ping")
        assert client(tree, "az1").call({}, "count", kind="disk") == 3
        # Faults can still be set although one manager has stopped.
        tree.link("east", "az1").cut()


def test_several_managers_serve_the_services_of_a_cell() -> None:
    with CellTree(SHAPE, managers={"api": 2}) as tree:
        hosts = {CellsAPI(tree["api"].transport).status({})["host"] for _ in range(10)}
        assert hosts == {"api-1", "api-2"}


def test_wrong_option_is_an_error_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(exceptions.ConfigurationError, match="call_timeout"):
        CellTree(SHAPE, cell_options={"az1": {"cells": {"call_timeout": "soon"}}})
    assert list(tmp_path.iterdir()) == []


def test_start_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("cells.testing.tree.START_TIMEOUT_SECONDS", 0.1)
    before = threads_of_cells()
    tree = CellTree(SHAPE)
    # A cell that does not start announces nothing, so no other cell knows it.
    monkeypatch.setattr(tree["az1"], "start", lambda: None)
    with pytest.raises(TimeoutError):
        tree.start()
    wait_for(lambda: threads_of_cells() <= before, "its threads end")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [{"managers": {"north": 2}}, {"cell_options": {"north": {}}}])
def test_an_unknown_cell_of_the_tree(what: dict[str, Any]) -> None:
    with pytest.raises(exceptions.CellNotFound, match="north"):
        CellTree(SHAPE, **what)


def test_an_ambiguous_name_needs_its_path() -> None:
    tree = CellTree({"api": {"east": {"az1": {}}, "west": {"az1": {}}}})
    try:
        with pytest.raises(exceptions.AmbiguousCell, match=r"api!east!az1.*api!west!az1"):
            tree["az1"]
        assert str(tree["api!west!az1"].path) == "api!west!az1"
    finally:
        tree.stop()


def test_two_trees_of_the_same_names_are_two_trees() -> None:
    with CellTree(SHAPE) as one, CellTree(SHAPE) as two:
        one["az1"].serve("inventory", Inventory(1))
        two["az1"].serve("inventory", Inventory(2))
        assert [client(tree, "az1").call({}, "count", kind="disk") for tree in (one, two)] == [1, 2]
        one.link("api", "east").cut()
        assert CellsAPI(two["api"].transport).call({}, "az1", "ping")["path"] == "api!east!az1"


def test_the_error_for_eventlet_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "get_backend_type", lambda: backend.BackendType.EVENTLET)
    with pytest.raises(exceptions.ConfigurationError, match=r"cells\.testing"):
        CellTree(SHAPE)

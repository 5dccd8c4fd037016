"""A cell with two managers, of which one has no connection to the neighbors: it reaches them through the other one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cells import exceptions, versions
from cells.drivers.direct.driver import DirectDriver
from cells.endpoints import Call, endpoint
from cells.manager.lifecycle import CellsService
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for
from tests.functional.direct.forwarder import Forwarder
from tests.functional.notes import Notes

TREE = {"api": {"east": {"az1": {}}}}
ALL = ["api", "api!east", "api!east!az1"]
#: the managers of api: east knows the address of the first one only
CONNECTED, APART = 0, 1
OPTIONS = {"cells_direct": {"reconnect_wait": 1.0}}
Start = Callable[..., CellTree]


@endpoint
def host(call: Call) -> str:
    return str(call.cell.describe()["host"])


def limited(**options: Any) -> CellTree:
    """Return a tree, not started, in which children know the first manager of their parent alone."""
    tree = CellTree(TREE, links="direct", services=True, **{"options": OPTIONS, **options})
    for parent, child in (("api", "east"), ("east", "az1")):
        [first, *_] = tree[child].database.get(parent).address_list
        tree[child].database.update(parent, addresses=first)
    return tree


@pytest.fixture
def start() -> Iterator[Start]:
    """Start limited trees."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(limited(**options))


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def shared(notes: Notes) -> Iterator[CellTree]:
    with limited(
        managers={"api": 2, "east": 2},
        endpoints=[host, notes.endpoint(blocks=False)],
        cell_options={"az1": {"cells": {"capabilities": "os=linux"}}},
    ) as tree:
        wait_for_version(tree)
        yield tree


@pytest.fixture
def tree(shared: CellTree, notes: Notes) -> CellTree:
    """A limited tree with two managers in api and in east, that tests share."""
    notes.taken.clear()
    return shared


def driver_of(service: CellsService) -> DirectDriver:
    driver = service.drivers.get("direct")
    assert isinstance(driver, DirectDriver)
    return driver


def link(tree: CellTree, manager: int, cell: str = "api", neighbor: str = "east") -> dict[str, Any]:
    """Return the status of a link of one manager."""
    service = tree[cell].managers[manager]
    return dict(driver_of(service).link_status(service.table.snapshot().all()[neighbor]) or {})


def wait_for_version(tree: CellTree) -> None:
    """Wait until all managers speak the present version: under older ones answers are fanned out."""
    for cell in tree.cells.values():
        for manager in cell.managers:
            for name in manager.table.snapshot().all():
                wait_for(
                    lambda manager=manager, name=name: (
                        manager.cell.link_versions.explain(manager.table.snapshot().all()[name]).spoken
                        == versions.CURRENT
                    ),
                    f"{manager.host} speaks the present version with {name}",
                )


def test_the_state_is_that_of_the_cell(tree: CellTree) -> None:
    connected, apart = (link(tree, manager) for manager in (CONNECTED, APART))
    assert [len(one["managers"]) for one in (connected, apart)] == [2, 0]
    assert [one["state"] for one in (connected, apart)] == ["connected"] * 2
    assert [one["through"] for one in (connected, apart)] == [[], ["api-1"]]


def test_calls_and_their_answers_go_through_the_other_manager(tree: CellTree) -> None:
    before = tree["api"].counters().get("dropped.response", 0)
    calls = [tree["api"].start_call("az1", manager=APART) for _ in range(30)]
    assert {call.result(10) for call in calls} == {"api!east!az1"}
    assert tree["api"].call("az1", "ping", manager=APART)["path"] == "api!east!az1"
    assert tree["api"].call("east", "ping", manager=APART)["path"] == "api!east"
    with pytest.raises(exceptions.UnknownMethod):
        tree["api"].call("az1", "no_such_method", manager=APART)
    assert {tree["az1"].call("api", "host") for _ in range(4)} == {"api-1"}
    # Answers to the first pings may still come; an answer to these calls goes to the manager that has asked, alone.
    assert tree["api"].counters().get("dropped.response", 0) - before < 30


@pytest.mark.parametrize("method", ["hear", "forward", "take"])
def test_a_user_of_the_bus_cannot_speak_as_a_manager(tree: CellTree, method: str) -> None:
    client = tree["api"].client("cells.siblings", namespace="siblings", version="1.0", timeout=5)
    with pytest.raises(exceptions.CallNotAllowed):
        client.call({}, method, body='{"to": ""}', seal="0" * 64)


def test_casts_arrive_once_and_in_their_order(tree: CellTree, notes: Notes) -> None:
    manager = tree["api"].managers[APART].manager
    for number in range(300):
        manager.cast(CONTEXT, "east", "note", {"text": f"{number:03}"})
    wait_for(lambda: len(notes.taken) >= 300, "all casts run")
    assert sorted(notes.taken) == [("api!east", f"{number:03}") for number in range(300)]


def test_broadcasts_go_through_the_other_manager(tree: CellTree, notes: Notes) -> None:
    for number in (CONNECTED, APART):
        manager = tree["api"].managers[number].manager
        texts = manager.broadcast_call(CONTEXT, "where", {}, "down").result(10)
        assert sorted(Response.from_json(text, []).cell for text in texts) == ALL
        manager.broadcast_cast(CONTEXT, "note", {"text": str(number)}, "down")
    notes.wait_for(*((cell, str(number)) for cell in ALL for number in (CONNECTED, APART)))
    for _ in range(2):
        texts = tree["az1"].managers[0].manager.broadcast_call(CONTEXT, "where", {}, "up").result(10)
        assert len(texts) == 3


def test_all_managers_get_the_announcements_of_a_child(tree: CellTree) -> None:
    for manager in (*tree["api"].managers, *tree["east"].managers):
        wait_for(lambda: manager.manager.capabilities(CONTEXT) == {"os": ["linux"]}, "all know az1")  # noqa: B023


def test_casts_to_one_manager_keep_their_order(start: Start) -> None:
    notes = Notes()
    tree = start(managers={"api": 2}, endpoints=[notes.endpoint(blocks=False)])
    manager = tree["api"].managers[APART].manager
    for number in range(100):
        manager.cast(CONTEXT, "east", "note", {"text": f"{number:03}"})
    wait_for(lambda: len(notes.taken) >= 100, "all casts run")
    assert notes.taken == [("api!east", f"{number:03}") for number in range(100)]


def test_under_a_cap_of_1_0_answers_are_handed_over_as_copies(start: Start) -> None:
    tree = start(managers={"api": 2}, options={**OPTIONS, "upgrade_levels": {"intercell": "1.0"}})
    assert tree["api"].call("az1", manager=APART) == "api!east!az1"


def test_the_neighbor_is_down_when_no_manager_has_a_connection(start: Start) -> None:
    tree = start(managers={"api": 2})
    tree["api"].managers[CONNECTED].stop()
    wait_for(lambda: link(tree, APART)["state"] == "reconnecting", "the other manager has stopped")
    call = tree["api"].start_call("east", manager=APART)
    wait_for(lambda: link(tree, APART)["state"] == "down", "the neighbor is down")
    with pytest.raises(exceptions.NeighborUnreachable):
        call.result(10)
    with pytest.raises(exceptions.NeighborUnreachable):
        tree["api"].call("east", manager=APART)


@contextmanager
def connected(tree: CellTree) -> Iterator[None]:
    """Let east have a connection to the second manager of api, too, within the block; its end breaks it."""
    with Forwarder(driver_of(tree["api"].managers[APART]).addresses[0]) as forwarder:
        first = tree["east"].database.get("api").addresses
        tree["east"].database.update("api", addresses=f"{first},{forwarder.address}")
        tree["east"].service.reset()
        wait_for(lambda: link(tree, APART)["managers"], "a connection of its own")
        yield
    wait_for(lambda: not link(tree, APART)["managers"], "the connection has ended")
    # East would send an answer into the broken connection, and that answer would be lost.
    wait_for(lambda: len(link(tree, 0, "east", "api")["managers"]) == 1, "east knows that it has ended")


def test_messages_pass_when_the_connection_is_lost(start: Start) -> None:
    notes = Notes()
    tree = start(managers={"api": 2}, endpoints=[notes.endpoint()])
    manager = tree["api"].managers[APART].manager
    with connected(tree):
        manager.cast(CONTEXT, "az1", "note", {"text": "over the connection"})
        notes.wait_for(("api!east!az1", "over the connection"))
    manager.cast(CONTEXT, "az1", "note", {"text": "through the sibling"})
    notes.wait_for(*(("api!east!az1", f"{way}") for way in ("over the connection", "through the sibling")))
    assert link(tree, APART)["state"] == "connected"


def test_an_answer_to_a_manager_that_has_lost_its_connection_is_handed_over(start: Start) -> None:
    tree = start(managers={"api": 2})
    wait_for_version(tree)
    with connected(tree):
        tree.freeze("api!east!az1")
        before = tree["az1"].counters()["received"]
        call = tree["api"].start_call("az1", manager=APART)
        wait_for(lambda: tree["az1"].counters()["received"] > before, "the call arrives")
    tree.thaw()
    assert call.result(10) == "api!east!az1"


def test_a_manager_that_stops_gets_the_answers_to_its_calls(start: Start) -> None:
    tree = start(managers={"api": 2})
    wait_for_version(tree)
    tree.freeze("api!east!az1")
    before = tree["az1"].counters()["received"]
    call = tree["api"].start_call("az1", manager=APART)
    wait_for(lambda: tree["az1"].counters()["received"] > before, "the call arrives")
    stop = threading.Thread(target=tree["api"].managers[APART].stop)
    stop.start()
    tree.thaw()
    assert call.result(10) == "api!east!az1"
    stop.join(10)

"""Start of a manager: before it knows its neighbors, and before its parents have answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from cells import exceptions, service
from cells.endpoints import Call, Endpoints, endpoint
from cells.manager import lifecycle
from cells.manager.lifecycle import CellsService
from tests.functional.cell_tree import CONTEXT, TIMEOUT_SECONDS, CellTree, TreeCell, wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


@endpoint(blocks=False)
def seen_from(call: Call) -> str:
    return str(call.route)


class Restarted:
    """A manager of one cell that starts after another one has stopped."""

    def __init__(self, cell: TreeCell) -> None:
        endpoints = Endpoints.load()
        endpoints.add(seen_from)
        self.service: CellsService = service.build(cell.conf, endpoints=endpoints, serves_local_cell=False)
        self._thread = threading.Thread(target=self.service.start, daemon=True)

    def start(self) -> None:
        """Start it on a thread of its own: the start may block."""
        self._thread.start()

    def wait_started(self) -> None:
        self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive()

    @property
    def is_starting(self) -> bool:
        return self._thread.is_alive()


@pytest.fixture
def restart() -> Iterator[Callable[[TreeCell], Restarted]]:
    started: list[Restarted] = []

    def begin(cell: TreeCell) -> Restarted:
        started.append(Restarted(cell))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        one.service.stop()


def test_a_manager_takes_no_message_before_it_has_read_its_neighbors(
    cell_tree: Callable[..., CellTree], restart: Callable[[TreeCell], Restarted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case C2."""
    monkeypatch.setattr(lifecycle, "LOAD_RETRY_SECONDS", 0.05)
    tree = cell_tree(SHAPE, endpoints=[seen_from])
    east, database = tree["east"], tree.database_file("east")
    east.stop()
    away = database.rename(database.with_suffix(".away"))
    restarted = restart(east)
    wait_for(lambda: restarted.service.counters.as_dict().get("load_failed.SchemaOutdated", 0) >= 2, "it tries again")
    with pytest.raises(exceptions.NeighborUnreachable):
        tree["api"].call("api!east", "seen_from")
    assert restarted.is_starting
    away.replace(database)
    restarted.wait_started()
    assert tree["api"].call("api!east", "seen_from") == "api!east"


def test_a_manager_can_be_stopped_while_it_waits_for_its_database(
    cell_tree: Callable[..., CellTree], restart: Callable[[TreeCell], Restarted]
) -> None:
    """Case C2."""
    tree = cell_tree(SHAPE)
    tree["az1"].stop()
    tree.database_file("az1").unlink()
    restarted = restart(tree["az1"])
    wait_for(lambda: any("load_failed" in name for name in restarted.service.counters.as_dict()), "it has tried")
    restarted.service.stop()
    restarted.wait_started()


def test_a_restarted_manager_knows_its_path_before_its_parent_answers(
    cell_tree: Callable[..., CellTree], restart: Callable[[TreeCell], Restarted]
) -> None:
    """Case C3."""
    tree = cell_tree(SHAPE, endpoints=[seen_from])
    az1 = tree["az1"]
    wait_for(lambda: az1.database.known_paths() == {"east": "api!east"}, "the path is stored")
    az1.stop()
    with tree.link("east", "az1").toward("az1").drop():
        restarted = restart(az1)
        restarted.wait_started()
        # No answer reaches the cell, so it casts.
        restarted.service.manager.cast(CONTEXT, "api!west", "seen_from", {})
        wait_for(lambda: tree["west"].counters().get("received", 0), "west has the cast")
        assert str(restarted.service.topology.own_path) == "api!east!az1"


def test_a_new_cell_holds_requests_for_full_paths_until_its_parent_answers(
    cell_tree: Callable[..., CellTree], restart: Callable[[TreeCell], Restarted]
) -> None:
    """Case C3."""
    tree = cell_tree(SHAPE, endpoints=[seen_from])
    az1 = tree["az1"]
    az1.stop()
    az1.database.store_known_paths({})
    with tree.link("east", "az1").toward("az1").drop():
        restarted = restart(az1)
        restarted.wait_started()
        assert not restarted.service.topology.is_placed
        held = restarted.service.manager.call(CONTEXT, "api!west", "seen_from", {}, 20)
        # A message from another cell, and one to a known name, do not wait.
        tree["api"].cast("api!east!az1", "seen_from")
        restarted.service.manager.cast(CONTEXT, "east", "seen_from", {})
        assert not held.done()
    restarted.service.announcer.announce()
    assert held.result(TIMEOUT_SECONDS) == "az1!east!api!west"

"""Requests that wait until this cell knows its path from the root (case C3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from cells import exceptions
from cells.futures import completed
from cells.manager.held_requests import MAX_REQUESTS, HeldRequests
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.transport.server import LongAnswer
from cells.worker_threads import Runtime

TIMEOUT_SECONDS = 10.0
FAR = "api!west"


class Cell:
    """The cell az1, whose parent east has not said yet that it is below api."""

    def __init__(self) -> None:
        self.table = NeighborTable(300.0)
        self.table.replace([Neighbor("east", "memory://x/east", is_parent=True, driver="memory")])
        self.topology = Topology("az1", self.table)
        self.held = HeldRequests(self.topology, Runtime())
        self.threads: list[threading.Thread] = []

    def walk(self, cell: str, seconds: float = 60.0) -> futures.Future[CellPath]:
        def send(_: float) -> futures.Future[CellPath]:
            self.threads.append(threading.current_thread())
            return completed(self.topology.walk_to(cell))

        return self.held.send(cell, seconds, send)

    def hear_from_parent(self) -> None:
        self.table.record_description("east", {"path": "api!east"})
        self.held.release()


@pytest.fixture
def cell() -> Iterator[Cell]:
    cell = Cell()
    yield cell
    cell.held.stop()


def test_a_full_path_waits_until_the_parent_answers_and_holds_up_no_reading_thread(cell: Cell) -> None:
    walk = cell.walk(FAR)
    assert not walk.done()
    cell.hear_from_parent()
    assert str(walk.result(TIMEOUT_SECONDS)) == "az1!east!api!west"
    assert cell.threads == [cell.threads[0]] != [threading.current_thread()]
    # From now on requests are sent at once, on the thread that they come from.
    assert cell.walk(FAR).done()
    assert cell.threads[-1] is threading.current_thread()


def test_known_names_and_senseless_ones_do_not_wait(cell: Cell) -> None:
    assert str(cell.walk("east").result(0)) == "az1!east"
    with pytest.raises(exceptions.MalformedMessage):
        cell.walk("!")


def test_a_cell_that_is_never_found_is_the_error_of_the_request(cell: Cell) -> None:
    walk = cell.walk(FAR, seconds=0.05)
    with pytest.raises(exceptions.CellNotFound):
        walk.result(TIMEOUT_SECONDS)


def test_a_stop_gives_up_the_requests_that_wait(cell: Cell) -> None:
    walk = cell.walk(FAR)
    cell.held.stop()
    assert isinstance(walk.exception(0), exceptions.CellNotFound)
    with pytest.raises(exceptions.CellNotFound):
        cell.walk(FAR)


def test_the_number_of_waiting_requests_is_bounded(cell: Cell) -> None:
    walks = [cell.walk(FAR) for _ in range(MAX_REQUESTS)]
    with pytest.raises(exceptions.CellNotFound):
        cell.walk(FAR)
    cell.hear_from_parent()
    assert {str(walk.result(TIMEOUT_SECONDS)) for walk in walks} == {"az1!east!api!west"}


def test_a_request_that_waited_passes_heartbeats_on(cell: Cell) -> None:
    inner, beats = LongAnswer[str](), threading.Event()
    outer = cell.held.send(FAR, 60.0, lambda _: inner)
    assert isinstance(outer, LongAnswer)
    outer.call_when_still_working(beats.set)
    cell.hear_from_parent()
    while not beats.wait(0.01):
        inner.still_working()
    inner.set_result("done")
    assert outer.result(TIMEOUT_SECONDS) == "done"

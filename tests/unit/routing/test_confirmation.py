"""Casts whose callers wait: each caller has a true answer at its timeout, whatever its link does."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures

import pytest

from cells import exceptions
from cells.drivers.base import Target
from cells.drivers.memory import lay_wire
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.reply import Reply
from tests.unit.endpoints.cells_in_memory import CellInMemory
from tools.polling import poll


class Hung:
    """Wire to a broker that takes a message only when the test says so."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.problem: exceptions.CellsError | None = None

    def carry(self, _cell: Target, deliver: Callable[[], None]) -> None:
        assert self.gate.wait(30), "The test never let the message pass"
        if self.problem is not None:
            raise self.problem
        deliver()


@pytest.fixture
def wire() -> Iterator[Hung]:
    wire = Hung()
    yield wire
    wire.gate.set()


@pytest.fixture
def api(wire: Hung) -> Iterator[CellInMemory]:
    with CellInMemory("api", children=["east"]) as cell:
        urls = cell.url("api"), cell.url("east")
        lay_wire(*urls, wire)
        cell.pending.start()
        yield cell
        # The stop of the cell waits for messages on their way.
        wire.gate.set()
        lay_wire(*urls, None)


def deliver(api: CellInMemory, seconds: float, target: str = "api!east") -> futures.Future[Reply]:
    message = TargetedMessage.new(
        id=uuid.uuid4().hex,
        method="note",
        kwargs={},
        route=CellPath(["api"]),
        target=CellPath.parse(target),
        direction=Direction.DOWN,
        max_hop_count=10,
        needs_response=False,
    )
    return api.router.deliver(message, seconds)


def answer(sent: futures.Future[Reply]) -> Response:
    return sent.result(30).read_one(["cells.exceptions"])


def losses(api: CellInMemory) -> dict[str, int]:
    return {name: count for name, count in api.cell.losses.as_dict().items() if name.startswith("east.cast")}


def test_a_cast_that_is_taken_in_time_has_no_error(api: CellInMemory, wire: Hung) -> None:
    sent = deliver(api, 30.0)
    assert not sent.done()
    wire.gate.set()
    assert answer(sent).error is None
    assert losses(api) == {}


def test_a_caller_hears_at_its_timeout_that_the_cast_may_arrive(api: CellInMemory, wire: Hung) -> None:
    error = answer(deliver(api, 0.05)).error
    assert isinstance(error, exceptions.NeighborUnreachable)
    assert (error.may_arrive, error.cell) == (True, "api!east")
    assert losses(api) == {"east.cast.in_flight": 1}
    wire.gate.set()
    assert api.next_text("east")["method_name"] == "note"
    poll(lambda: losses(api) == {}, "the cast is in flight no more")


def test_a_cast_that_is_given_up_later_is_counted(api: CellInMemory, wire: Hung) -> None:
    assert answer(deliver(api, 0.05)).error is not None
    waits = deliver(api, 30.0)
    wire.problem = exceptions.NeighborUnreachable("gone", cell="east")
    wire.gate.set()
    assert isinstance(answer(waits).error, exceptions.NeighborUnreachable)
    reason = "east.cast.NeighborUnreachable"
    poll(lambda: losses(api) == {f"{reason}.lost": 1, f"{reason}.told": 1}, "both casts are given up")


def test_an_error_on_the_way_is_told_at_once(api: CellInMemory) -> None:
    assert isinstance(answer(deliver(api, 30.0, "api!west")).error, exceptions.CellNotFound)
    assert len(api.pending) == 0


def test_a_manager_that_stops_says_that_the_cast_may_arrive(api: CellInMemory) -> None:
    sent = deliver(api, 30.0)
    api.pending.stop()
    error = answer(sent).error
    assert isinstance(error, exceptions.NeighborUnreachable)
    assert error.may_arrive
    assert isinstance(answer(deliver(api, 30.0)).error, exceptions.ManagerStopping)

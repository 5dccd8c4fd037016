"""The history of links, as a manager writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from cells import exceptions
from cells.manager.link_history import MAX_WAITING, RETRY_SECONDS, SETTLE_SECONDS, LinkHistory
from cells.neighbors.probe import GRACE_SECONDS
from cells.neighbors.transitions import REMOVED, Transition
from cells.worker_threads import Runtime
from tests.clock import Clock
from tests.unit.endpoints.cells_in_memory import CellInMemory

MUTE_AFTER = 300.0


class Store:
    """Store that keeps what it is told, or is away."""

    def __init__(self) -> None:
        self.stored: list[Transition] = []
        self.is_away = False

    def record_transitions(self, transitions: Sequence[Transition]) -> None:
        if self.is_away:
            raise exceptions.DatabaseUnavailable("away")
        self.stored += transitions

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(one.neighbor, one.state) for one in self.stored]


class Watched:
    """The cell east with two children, and its history."""

    def __init__(self, cell: CellInMemory, clock: Clock) -> None:
        self.table, self.clock, self.store = cell.table, clock, Store()
        runtime = Runtime(clock=clock, wall_clock=lambda: clock() + 1e9)
        self.history = LinkHistory(cell.cell, self.store, runtime)

    def look(self) -> None:
        """Look for changes, and wait until they are stored."""
        self.history.look()
        self.history.stop(5.0)

    def answer(self, name: str) -> None:
        self.table.record_probe(name)
        self.table.record_probe_answer(name, self.clock(), "h7")
        self.table.record(name)


@pytest.fixture
def watched() -> Iterator[Watched]:
    clock = Clock()
    with CellInMemory("east", children=["az1", "az2"], runtime=Runtime(clock=clock)) as cell:
        yield Watched(cell, clock)


def test_each_change_is_stored_once_with_its_reason(watched: Watched) -> None:
    watched.look()
    watched.look()
    assert watched.store.seen == [("az1", "unknown"), ("az2", "unknown")]
    assert "started" in watched.store.stored[0].why
    watched.answer("az1")
    watched.clock.advance(1.0)
    watched.look()
    watched.clock.advance(MUTE_AFTER + 1)
    watched.look()
    up, mute = [one for one in watched.store.stored if one.neighbor == "az1"][1:]
    assert (up.state, up.manager, up.since) == ("up", "h1", 1_000_001_001.0)
    assert "h7" in up.why
    assert mute.state == "mute"
    assert "az1" in mute.why
    assert mute.since - up.since == MUTE_AFTER + 1


def test_the_reason_of_a_problem_is_looked_up_again_before_it_is_stored(watched: Watched) -> None:
    watched.answer("az1")
    watched.look()
    watched.table.record_probe("az1")
    watched.clock.advance(GRACE_SECONDS + 1)
    watched.history.look()
    seen_at = watched.clock() + 1e9
    watched.clock.advance(1.0)
    watched.table.record_receivers("az1", 0)
    watched.history.look()
    assert [one for one in watched.store.stored if one.state == "silent"] == []
    watched.clock.advance(SETTLE_SECONDS)
    watched.look()
    (silent,) = [one for one in watched.store.stored if one.state == "silent"]
    assert silent.since == seen_at
    assert "start cells-manager" in silent.why


def test_a_removed_neighbor_is_stored(watched: Watched) -> None:
    watched.look()
    rows = watched.table.snapshot().all()
    watched.table.replace([rows["az1"]])
    watched.look()
    assert watched.store.seen[2:] == [("az2", REMOVED)]
    watched.table.replace(rows.values())
    watched.look()
    assert watched.store.seen[3:] == [("az2", "unknown")]
    assert "started" not in watched.store.stored[-1].why


def test_changes_wait_while_the_database_is_away(watched: Watched) -> None:
    watched.store.is_away = True
    watched.look()
    watched.store.is_away = False
    watched.history.look()
    assert watched.store.seen == []
    watched.clock.advance(RETRY_SECONDS)
    watched.look()
    assert watched.store.seen == [("az1", "unknown"), ("az2", "unknown")]


def test_the_changes_that_wait_are_bounded(watched: Watched) -> None:
    watched.store.is_away = True
    watched.look()
    for number in range(MAX_WAITING):
        watched.table.record_link("az1", ("down", "connected")[number % 2])
        watched.history.look()
    watched.store.is_away = False
    watched.clock.advance(RETRY_SECONDS)
    watched.look()
    assert len(watched.store.stored) == MAX_WAITING
    assert watched.store.stored[0].neighbor == "az1"


def test_a_cell_without_a_database_keeps_no_history(watched: Watched) -> None:
    history = LinkHistory(watched.history.cell, None, watched.history.runtime)
    history.look()
    history.stop(1.0)

"""The state of a link from the answers to probes, and the problem that is named (cases C8, D1, D2)."""

from __future__ import annotations

import pytest

from cells.neighbors import Neighbors, NeighborTable, State
from cells.neighbors.managers import DIFFERENT_SECONDS, ROWS
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.probe import GRACE_SECONDS, Probe
from cells.neighbors.verdict import ARRIVING_SECONDS, problem_of, problem_of_stranger, way_of
from tests.cases import each
from tests.clock import Clock

MUTE_AFTER = 300.0
ROW = Neighbor("az1", "memory://x/az1", is_parent=False, driver="memory")


class Link:
    """The row of the child az1 in a table, and a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = NeighborTable(MUTE_AFTER, self.clock)
        self.table.replace([ROW])

    def probe(self, *, answered: bool, host: str = "h1") -> None:
        asked_at = self.clock()
        self.table.record_probe("az1")
        if answered:
            self.clock.advance(0.25)
            self.table.record_probe_answer("az1", asked_at, host)
            self.table.record("az1")

    @property
    def state(self) -> State:
        return self.table.state("az1")

    @property
    def found(self) -> Probe:
        heard = self.table.heard("az1")
        assert heard is not None
        return heard.probe

    @property
    def problem(self) -> str:
        heard = self.table.heard("az1")
        assert heard is not None
        found = problem_of("east", ROW, heard, self.state, self.clock())
        return found.text if found else ""

    @property
    def way(self) -> str:
        heard = self.table.heard("az1")
        assert heard is not None
        return way_of(heard, self.state, self.clock())


@pytest.fixture
def link() -> Link:
    return Link()


def test_an_answered_probe_is_up_with_its_round_trip_and_its_manager(link: Link) -> None:
    link.probe(answered=True, host="h7")
    assert (link.state, link.way, link.problem) == (State.UP, "both", "")
    assert (link.found.round_trip_seconds, link.found.answered_by) == (0.25, "h7")
    link.clock.advance(9.0)
    assert link.found.since_seconds(link.clock()) == 9.0


def test_a_dead_child_is_silent_a_few_seconds_after_the_next_probe(link: Link) -> None:
    """Case D1."""
    link.probe(answered=True)
    link.clock.advance(10.0)
    link.probe(answered=False)
    assert (link.state, link.found.overdue(link.clock())) == (State.UP, 0)
    link.clock.advance(GRACE_SECONDS + 0.1)
    link.probe(answered=False)
    assert (link.state, link.found.overdue(link.clock())) == (State.SILENT, 2)
    assert link.found.silent_seconds(link.clock()) == pytest.approx(10.0 + GRACE_SECONDS + 0.1)
    link.clock.advance(MUTE_AFTER)
    assert link.state is State.MUTE
    link.probe(answered=True)
    assert (link.state, link.found.unanswered) == (State.UP, 0)
    assert link.found.since_seconds(link.clock()) == 0.0


def test_an_announcement_that_waited_in_a_queue_is_no_sign_of_life(link: Link) -> None:
    """Case C8."""
    link.probe(answered=False)
    link.table.record("az1", capabilities={"os": ["linux"]})
    assert link.state is State.UNKNOWN
    link.clock.advance(GRACE_SECONDS + 0.1)
    assert link.state is State.SILENT
    for _ in range(3):
        link.clock.advance(MUTE_AFTER / 2)
        link.table.record("az1", capabilities={"os": ["linux"]})
    assert link.table.living_children() == {}


def test_a_neighbor_that_is_not_probed_lives_by_its_messages(link: Link) -> None:
    link.table.record("az1")
    assert (link.state, link.way) == (State.UP, "in")


@each(
    ("receivers", "has_answered", "words"),
    [
        (0, False, "start cells-manager"),
        (1, False, "does not know this cell"),
        (None, False, "cells neighbor create east --type parent"),
        (1, True, "no longer answers"),
    ],
)
def test_silence_is_explained_by_the_managers_that_consume_there(
    link: Link, receivers: int | None, has_answered: bool, words: str
) -> None:
    """Case D2."""
    if has_answered:
        link.probe(answered=True)
    link.probe(answered=False)
    link.clock.advance(GRACE_SECONDS + 0.1)
    assert link.table.silent_neighbors() == [ROW]
    link.table.record_receivers("az1", receivers)
    assert words in link.problem
    assert link.way == "none"


def test_messages_that_arrive_without_answers_are_one_way(link: Link) -> None:
    link.probe(answered=False)
    link.table.record_request("az1")
    link.clock.advance(GRACE_SECONDS + 0.1)
    assert (link.way, "transport URL" in link.problem) == ("in", True)
    link.clock.advance(ARRIVING_SECONDS)
    assert link.way == "none"


def test_the_error_of_a_probe_is_the_problem(link: Link) -> None:
    link.probe(answered=False)
    link.table.record_delivery("az1", is_reachable=False)
    link.table.record_probe_problem("az1", "no exchange: set [DEFAULT] control_exchange")
    assert (link.state, link.problem) == (State.UNREACHABLE, "no exchange: set [DEFAULT] control_exchange")
    link.table.record_delivery("az1", is_reachable=True)
    link.probe(answered=True)
    assert link.problem == ""


def test_the_problem_of_a_broker_ends_when_the_broker_takes_messages(link: Link) -> None:
    link.probe(answered=False)
    link.table.record_delivery("az1", is_reachable=False)
    link.table.record_probe_problem("az1", "connection refused")
    link.table.record_delivery("az1", is_reachable=True)
    link.table.record_receivers("az1", 0)
    link.clock.advance(GRACE_SECONDS + 0.1)
    assert link.state is State.SILENT
    assert "No manager of az1 runs" in link.problem


def test_two_managers_of_one_host_and_a_wrong_name_are_named(link: Link) -> None:
    link.probe(answered=True)
    link.table.record("az1", description={"name": "az7"})
    assert "az7" in link.problem
    link.table.record_ping_to_all("az1")
    for process in (1, 2):
        link.table.record_manager("az1", {"host": "h1", "pid": process})
    assert "[DEFAULT] host" in link.problem
    for _ in range(2):  # the first ends the ping with two answers of h1
        link.table.record_ping_to_all("az1")
        link.table.record_manager("az1", {"host": "h1", "pid": 2})
    assert "[DEFAULT] host" not in link.problem


@each(
    ("rows", "is_named"),
    [(("a", "b"), True), (("a", "a"), False), (("a", None), False), ((None, None), False)],
)
def test_two_cells_of_one_name_on_one_virtual_host_are_named(
    link: Link, rows: tuple[str | None, str | None], is_named: bool
) -> None:
    """Case D4: they answer as two managers of one cell, and have different neighbors."""
    for _ in range(4):
        link.probe(answered=True)
        link.table.record_ping_to_all("az1")
        for host, digest in zip(("h1", "h2"), rows, strict=True):
            link.table.record_manager("az1", {"host": host, "pid": 1, ROWS: digest})
        assert link.problem == ""  # each manager may still read a change of the rows
        link.clock.advance(DIFFERENT_SECONDS / 3.9)
    link.probe(answered=True)
    assert ("[cells] name" in link.problem) is is_named
    for _ in range(2):
        link.table.record_ping_to_all("az1")
        link.table.record_manager("az1", {"host": "h1", "pid": 1, ROWS: "a"})
    assert link.problem == ""


def test_two_neighbors_that_call_themselves_the_same_are_named() -> None:
    """Case D4."""
    clock = Clock()
    table = NeighborTable(MUTE_AFTER, clock)
    other = Neighbor("az2", "memory://x/az2", is_parent=False, driver="memory")
    again = Neighbor("az3", ROW.transport_url, is_parent=False, driver="memory")
    table.replace([ROW, other, again])
    for name in ("az1", "az2", "az3"):
        table.record(name, description={"name": "az1"})
    assert table.namesake_of("az1") == other
    heard = table.heard("az2")
    assert heard is not None
    problem = problem_of("east", other, heard, State.UP, clock(), namesake=table.namesake_of("az2"))
    assert problem is not None
    assert problem.name == "duplicate_name"
    table.record("az2", description={"name": "az2"})
    assert (table.namesake_of("az1"), table.namesake_of("az2")) == (None, None)


def test_a_cell_that_answers_in_the_name_of_another_neighbor(link: Link) -> None:
    link.probe(answered=False)
    link.table.record_other_name("az1", "az2")
    link.clock.advance(GRACE_SECONDS + 0.1)
    assert "az2" in link.problem
    link.probe(answered=True)
    assert link.problem == ""


def test_managers_of_one_cell_have_one_digest() -> None:
    other = Neighbor("az2", "memory://x/az2", is_parent=False, driver="memory")
    parent = Neighbor("az2", "memory://x/az2", is_parent=True, driver="memory")
    assert Neighbors.of([ROW, other]).digest == Neighbors.of([other, ROW]).digest
    assert len({Neighbors.of(rows).digest for rows in ([], [ROW], [ROW, other], [ROW, parent])}) == 4


def test_cells_that_are_not_registered_are_remembered_for_a_while(link: Link) -> None:
    """Case D2."""
    for number in range(100):
        link.table.record_request(f"x{number}")
    assert 0 < len(link.table.strangers()) < 100
    assert "cells neighbor create x0" in problem_of_stranger("x0").text
    link.table.replace([ROW, Neighbor("x0", "memory://x/x0", is_parent=False, driver="memory")])
    assert "x0" not in link.table.strangers()
    link.clock.advance(MUTE_AFTER + 1)
    assert link.table.strangers() == {}
    # They leave room for others.
    link.table.record_request("late")
    assert list(link.table.strangers()) == ["late"]


@each(
    ("url", "is_own"),
    [("rabbit://u:p@BUS:5672/v?ssl=true", True), ("rabbit://u:p@bus/w", False), ("memory://x/az1", False)],
)
def test_a_silent_neighbor_at_the_place_of_the_cell_itself(link: Link, url: str, is_own: bool) -> None:
    link.probe(answered=False)
    link.table.record_receivers("az1", 1)
    link.clock.advance(GRACE_SECONDS + 0.1)
    heard = link.table.heard("az1")
    assert heard is not None
    row = Neighbor("az1", url, is_parent=False)
    problem = problem_of("east", row, heard, link.state, link.clock(), own_urls=["rabbit://own:p@bus/v", ""])
    assert problem is not None
    assert (problem.name == "url_of_this_cell") is is_own

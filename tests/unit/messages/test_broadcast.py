"""Where a broadcast goes, where it runs, and who gathers the answers."""

from __future__ import annotations

from typing import Any

from cells import versions
from cells.messages import HERE, BroadcastMessage
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath
from tests.cases import each
from tests.unit.messages import captures
from tests.unit.messages.trees import Tree, oldest, row

UP, DOWN = Direction.UP, Direction.DOWN
PATHS = ["api", "api!east", "api!east!az1", "api!east!az2", "api!west"]
TREE = Tree(PATHS)


def message(walked: str, direction: Direction = DOWN, **changed: Any) -> BroadcastMessage:
    return BroadcastMessage.new(method="ping", route=CellPath.parse(walked), direction=direction, **changed)


def ran(start: str, direction: Direction, tree: Tree = TREE, **changed: Any) -> list[str]:
    """The paths of the cells that a broadcast from ``start`` runs in."""
    here = CellPath.parse(start)
    return sorted(str(path) for path, _ in tree.spread(message(here.last, direction, **changed), here))


@each("version", list(versions.HISTORY))
@each(
    ("start", "direction", "reached"),
    [
        ("api", DOWN, ["api", "api!east", "api!east!az1", "api!east!az2", "api!west"]),
        ("api", UP, ["api"]),
        ("api!east", DOWN, ["api!east", "api!east!az1", "api!east!az2"]),
        ("api!east", UP, ["api", "api!east"]),
        ("api!east!az1", DOWN, ["api!east!az1"]),
        ("api!east!az1", UP, ["api", "api!east", "api!east!az1"]),
    ],
)
def test_reaches_each_cell_in_its_direction_once(
    start: str, direction: Direction, reached: list[str], version: str
) -> None:
    tree = Tree(PATHS, version)
    for options in ({}, {"streams": True, "needs_response": True}):
        assert ran(start, direction, tree, **options) == reached
        assert ran(start, direction, tree, run_locally=False, **options) == [path for path in reached if path != start]


def test_goes_up_to_every_parent() -> None:
    neighbors = Neighbors.of([row("one", is_parent=True), row("two", is_parent=True), row("low")])
    plan = message("here", UP).plan(neighbors, oldest)
    assert [hop.neighbor.name for hop in plan.hops] == ["one", "two"]


def test_every_hop_gets_the_very_same_message() -> None:
    came = message("api!east", kwargs={"a": [1]}, context={"unknown": 1}, needs_response=True)
    plan = came.plan(TREE.neighbors(CellPath.parse("api!east")), oldest)
    assert [hop.neighbor.name for hop in plan.hops] == [hop.answered_by for hop in plan.hops] == ["az1", "az2"]
    assert all(came.along(hop) is came for hop in plan.hops)


def test_does_not_run_at_the_source_if_it_shall_not() -> None:
    neighbors = TREE.neighbors(CellPath(["api"]))
    assert message("api").plan(neighbors, oldest).run_here
    assert not message("api", run_locally=False).plan(neighbors, oldest).run_here


def test_run_locally_is_not_sent() -> None:
    assert captures.sent(message("api", run_locally=False)).keys() == captures.capture("broadcast_request").keys()
    arrived = captures.over_the_wire(message("api", run_locally=False)).arrived_at("east")
    assert arrived.plan(TREE.neighbors(CellPath.parse("api!east")), oldest).run_here


@each(
    ("walked", "awaited"),
    [("api", ("east", "west", HERE)), ("api!east", ("az1", "az2", HERE)), ("api!east!az1", (HERE,))],
)
def test_every_cell_of_a_call_gathers(walked: str, awaited: tuple[str, ...]) -> None:
    neighbors = TREE.neighbors(CellPath.parse(walked))
    plan = message(walked, needs_response=True).plan(neighbors, oldest)
    assert (plan.awaited, plan.streams) == (awaited, False)
    assert message(walked).plan(neighbors, oldest).awaited is None


def test_a_source_that_does_not_run_it_does_not_wait_for_itself() -> None:
    neighbors = TREE.neighbors(CellPath(["api"]))
    plan = message("api", needs_response=True, run_locally=False).plan(neighbors, oldest)
    assert plan.awaited == ("east", "west")


@each("hop_count", [10, 11, 500])
def test_at_the_hop_limit_it_runs_and_goes_no_further(hop_count: int) -> None:
    plan = message("api!east", hop_count=hop_count, max_hop_count=10, needs_response=True).plan(
        TREE.neighbors(CellPath.parse("api!east")), oldest
    )
    assert plan.run_here
    assert (plan.hops, plan.awaited) == ((), (HERE,))


def test_below_the_hop_limit_it_goes_on() -> None:
    assert message("api", hop_count=9, max_hop_count=10).plan(TREE.neighbors(CellPath(["api"])), oldest).hops


def test_as_many_cells_deep_as_the_limit() -> None:
    chain = Tree(["c1", "c1!c2", "c1!c2!c3", "c1!c2!c3!c4"])
    assert ran("c1", DOWN, chain, max_hop_count=3) == ["c1", "c1!c2", "c1!c2!c3"]


def test_a_circle_of_neighbors_ends_at_the_hop_limit() -> None:
    circle = {"a": "b", "b": "c", "c": "a"}
    going, visited = message("a", max_hop_count=10), ["a"]
    while hops := going.plan(Neighbors.of([row(circle[going.here])]), oldest).hops:
        (hop,) = hops
        going = going.along(hop).arrived_at(hop.neighbor.name)
        visited.append(going.here)
    assert len(visited) == 10


@each(("walked", "back"), [("api!east", "east!api"), ("api!east!az1", "az1!east"), ("az1!east!api", "api!east")])
def test_answers_that_are_gathered_go_one_hop_back(walked: str, back: str) -> None:
    assert str(message(walked).header.return_path) == back

"""Where a targeted message goes: down, up, up and then down; and where it may not go."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import pytest

from cells import exceptions, versions
from cells.messages import HERE, Plan, TargetedMessage
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath, any_below
from tests.cases import each
from tests.unit.messages import captures
from tests.unit.messages.trees import Tree, oldest, row

UP, DOWN = Direction.UP, Direction.DOWN
TREE = Tree(["api", "api!east", "api!east!az1", "api!east!az2", "api!west", "api!west!az3"])


def message(target: str, walked: str | None = None, direction: Direction = DOWN, **changed: Any) -> TargetedMessage:
    path = CellPath.parse(target)
    fields: dict[str, Any] = {"route": CellPath.parse(walked) if walked else path[:1], "hop_count": 1, **changed}
    return TargetedMessage.new(method="ping", target=path, direction=direction, **fields)


def at(path: str) -> Neighbors:
    return TREE.neighbors(CellPath.parse(path))


@pytest.mark.parametrize("direction", list(Direction))
def test_to_the_own_cell_runs_here(direction: Direction) -> None:
    assert message("api", direction=direction).plan(at("api"), oldest) == Plan(run_here=True)


def test_at_its_target_it_runs() -> None:
    assert message("api!east!az1", "api!east!az1").plan(at("api!east!az1"), oldest) == Plan(run_here=True)


def test_at_its_target_it_runs_even_at_the_hop_limit() -> None:
    plan = message("api!east", "api!east", hop_count=10, max_hop_count=10).plan(at("api!east"), oldest)
    assert plan.run_here


@each(
    ("target", "walked", "direction", "here", "hop", "leaves_as"),
    [
        ("api!east!az1", "api", DOWN, "api", "east", DOWN),
        ("api!east!az1", "api!east", DOWN, "api!east", "az1", DOWN),
        ("az1!east!api", "az1", UP, "api!east!az1", "east", UP),
        ("az1!east!api", "az1!east", UP, "api!east", "api", UP),
        ("az1!east!az2", "az1!east", UP, "api!east", "az2", DOWN),
        ("az1!east!api!west!az3", "az1!east", UP, "api!east", "api", UP),
        ("az1!east!api!west!az3", "az1!east!api", UP, "api", "west", DOWN),
        ("az1!east!api!west!az3", "az1!east!api!west", DOWN, "api!west", "az3", DOWN),
    ],
)
def test_next_hop(target: str, walked: str, direction: Direction, here: str, hop: str, leaves_as: Direction) -> None:
    came = message(target, walked, direction)
    plan = came.plan(at(here), oldest)
    (step,) = plan.hops
    assert not plan.run_here
    assert step.neighbor.name == hop
    assert step.header == replace(came.header, direction=leaves_as)


@each("version", list(versions.HISTORY))
def test_a_hop_names_the_version_of_the_link(version: str) -> None:
    """The version is looked up once, so the planned version and the sent version cannot differ."""
    asked: list[str] = []

    def toward(neighbor: Neighbor) -> str:
        asked.append(neighbor.name)
        return version

    (hop,) = message("api!east!az1", "api!east").plan(at("api!east"), toward).hops
    assert (hop.version, asked) == (version, ["az1"])


def test_a_message_that_goes_down_never_turns_up_again() -> None:
    with pytest.raises(exceptions.CellNotFound) as caught:
        message("az1!east!api", "az1!east", DOWN).plan(at("api!east"), oldest)
    assert caught.value.cell == "api"


@pytest.mark.parametrize("direction", list(Direction))
def test_a_neighbor_that_is_not_registered(direction: Direction) -> None:
    with pytest.raises(exceptions.CellNotFound, match="neighbor create") as caught:
        message("api!north!az9", direction=direction).plan(at("api"), oldest)
    assert caught.value.cell == "north"


def test_where_a_parent_and_a_child_have_one_name_the_direction_decides() -> None:
    both = Neighbors(parents={"x": row("x", is_parent=True)}, children={"x": row("x")})
    for direction, is_parent in ((UP, True), (DOWN, False)):
        (hop,) = message("here!x", direction=direction).plan(both, oldest).hops
        assert hop.neighbor.is_parent is is_parent
        assert hop.header.direction is direction


@each(
    ("target", "walked"),
    [
        *(("api!east!az1", walked) for walked in ("api!west", "top", "api!api")),
        *(("api!east", "api!east!az1"), ("east!az1", "api!east")),
    ],
)
@each("direction", list(Direction))
def test_a_path_that_contradicts_the_target_is_a_routing_inconsistency(
    target: str, walked: str, direction: Direction
) -> None:
    with pytest.raises(exceptions.RoutingInconsistency) as caught:
        message(target, walked, direction).plan(at("api"), oldest)
    assert (caught.value.route, caught.value.target) == (walked, target)
    assert caught.value.cell == CellPath.parse(walked).last


@each("hop_count", [10, 11, 1000])
def test_hop_limit(hop_count: int) -> None:
    with pytest.raises(exceptions.MaxHopCountReached, match="max_hop_count") as caught:
        message("api!east!az1", hop_count=hop_count, max_hop_count=10).plan(at("api"), oldest)
    assert caught.value.hop_count == hop_count


def test_one_hop_below_the_limit_it_still_goes() -> None:
    assert message("api!east!az1", hop_count=9, max_hop_count=10).plan(at("api"), oldest).hops


def test_as_many_cells_as_the_limit_are_visited() -> None:
    chain = Tree(["c1", "c1!c2", "c1!c2!c3", "c1!c2!c3!c4"])
    top = CellPath(["c1"])
    assert chain.deliver(message("c1!c2!c3", max_hop_count=3), top)[0] == CellPath.parse("c1!c2!c3")
    with pytest.raises(exceptions.MaxHopCountReached) as caught:
        chain.deliver(message("c1!c2!c3!c4", max_hop_count=3), top)
    assert (caught.value.cell, caught.value.hop_count) == ("c3", 3)


def test_a_circle_of_neighbors_ends_at_the_hop_limit() -> None:
    circle = {"a": "b", "b": "c", "c": "a"}
    names = [list(circle)[number % 3] for number in range(100)]

    def go_round(going: TargetedMessage) -> None:
        while hops := going.plan(Neighbors.of([row(circle[going.here])]), oldest).hops:
            (hop,) = hops
            going = going.along(hop).arrived_at(hop.neighbor.name)

    with pytest.raises(exceptions.MaxHopCountReached) as caught:
        go_round(message("!".join(names), max_hop_count=10))
    assert caught.value.hop_count == 10


def test_only_the_source_of_a_call_gathers() -> None:
    assert message("api!east", needs_response=True).plan(at("api"), oldest).awaited == (any_below("east"),)
    assert message("api", needs_response=True).plan(at("api"), oldest).awaited == (HERE,)
    assert message("api!east").plan(at("api"), oldest).awaited is None
    assert message("api!east!az1", "api!east", needs_response=True).plan(at("api!east"), oldest).awaited is None
    assert message("api!east", "api!east", needs_response=True).plan(at("api!east"), oldest).awaited is None


def test_fanout_is_kept_on_the_way() -> None:
    (hop,) = message("az1!east", direction=UP, fanout=True).plan(at("api!east!az1"), oldest).hops
    assert hop.header.fanout


def test_a_relay_leaves_context_and_arguments_untouched() -> None:
    context, kwargs = {"unknown": {"x": [1]}}, {"object": {"versioned_object.name": "Instance"}}
    came = message("api!east!az1", "api!east", context=context, kwargs=kwargs, id="m")
    (hop,) = came.plan(at("api!east"), oldest).hops
    assert came.along(hop).payload is came.payload
    assert captures.sent(came.along(hop)) == captures.sent(came)


def test_planning_does_not_change_the_message() -> None:
    came = message("az1!east!az2", "az1!east", UP)
    before = captures.sent(came)
    came.plan(at("api!east"), oldest)
    assert captures.sent(came) == before


def test_the_way_back_is_the_way_walked() -> None:
    assert str(message("api!east!az1", "api!east").header.return_path) == "east!api"


@pytest.mark.parametrize("direction", list(Direction))
def test_a_forwarded_header_is_freed_without_the_garbage_collector(direction: Direction) -> None:
    """The daemon collects garbage seldom."""
    came = message("api!east!az1", "api!east")
    assert came.header.forwarded(direction).direction is direction
    header = weakref.ref(came.header)
    del came
    assert header() is None


@each(
    ("walked", "here"),
    [
        ("api!west!api", "api"),
        ("api!east!az1!east", "api!east"),
        ("api!west!api!east!api", "api"),
    ],
)
def test_a_message_that_comes_back_is_refused(walked: str, here: str) -> None:
    with pytest.raises(exceptions.WrongLink):
        message(walked, walked).header.check_sender(at(here))


def test_a_cell_may_have_the_name_of_a_cell_far_before_it() -> None:
    tree = Tree(["top", "top!api", "top!west", "top!west!api"])
    header = message("api!west!top!api", "api!west!top!api").header
    header.check_sender(tree.neighbors(CellPath.parse("top!api")))

"""Broadcasts whose answers come by themselves: who waits for whom, and who answers for whom."""

from __future__ import annotations

from typing import Any

import pytest

from cells import versions
from cells.messages import HERE, BroadcastHeader, BroadcastMessage, EncodedResponse, Plan, ResponseMessage
from cells.messages.header import Toward
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.cases import each
from tests.unit.messages import captures
from tests.unit.messages.trees import row

#: The children of the cell where it is: some of a release that streams, some of one before that.
CHILDREN = Neighbors.of([row("new1"), row("old1"), row("new2"), row("old2")])
STREAMING = [version for version in versions.HISTORY if versions.speaks(version, versions.STREAMED_ANSWERS)]
GATHERING = [version for version in versions.HISTORY if not versions.speaks(version, versions.STREAMED_ANSWERS)]


def message(walked: str, *, streams: bool = True, **changed: object) -> BroadcastMessage:
    fields: dict[str, Any] = {"method": "ping", "route": CellPath.parse(walked), "direction": Direction.DOWN}
    return BroadcastMessage.new(**{**fields, "needs_response": True, "streams": streams, **changed})


def mixed(new: str, old: str) -> Toward:
    """Each neighbor speaks what its name says."""

    def toward(neighbor: Neighbor) -> str:
        return new if neighbor.name.startswith("new") else old

    return toward


def streaming(plan: Plan) -> dict[str, bool]:
    """Which neighbors are told that each cell of their branch answers by itself."""
    found = {}
    for hop in plan.hops:
        assert isinstance(hop.header, BroadcastHeader)
        found[hop.answered_by] = hop.header.streams
    return found


every_mixture = pytest.mark.parametrize(("new", "old"), [(new, old) for new in STREAMING for old in GATHERING])


@every_mixture
def test_the_source_waits_for_all_that_it_passes_it_on_to_and_for_itself(new: str, old: str) -> None:
    plan = message("api").plan(CHILDREN, mixed(new, old))
    assert plan.awaited == ("new1", "old1", "new2", "old2", HERE)
    assert (plan.run_here, plan.streams) == (True, False)
    assert streaming(plan) == {"new1": True, "old1": False, "new2": True, "old2": False}


@every_mixture
def test_a_cell_on_the_way_waits_only_for_neighbors_that_gather(new: str, old: str) -> None:
    plan = message("api!east").plan(CHILDREN, mixed(new, old))
    assert plan.awaited == ("old1", "old2")
    assert (plan.run_here, plan.streams) == (True, True)
    assert streaming(plan) == {"new1": True, "old1": False, "new2": True, "old2": False}


@pytest.mark.parametrize("version", STREAMING)
def test_a_cell_on_the_way_waits_for_nobody_where_all_answer_by_themselves(version: str) -> None:
    plan = message("api!east").plan(CHILDREN, lambda _: version)
    assert (plan.awaited, plan.streams) == ((), True)
    assert all(streaming(plan).values())


def test_a_leaf_waits_for_nobody_and_answers_by_itself() -> None:
    plan = message("api!east").plan(Neighbors(), mixed("1.3", "1.0"))
    assert plan == Plan(run_here=True, hops=(), awaited=(), streams=True)


@every_mixture
def test_a_cell_that_was_not_asked_to_stream_gathers_its_whole_branch(new: str, old: str) -> None:
    plan = message("api!east", streams=False).plan(CHILDREN, mixed(new, old))
    assert plan.awaited == ("new1", "old1", "new2", "old2", HERE)
    assert not plan.streams
    # An answer that went by itself would go to a source that does not know of this cell.
    assert not any(streaming(plan).values())


@every_mixture
def test_the_source_of_one_that_does_not_stream_has_nobody_stream(new: str, old: str) -> None:
    plan = message("api", streams=False).plan(CHILDREN, mixed(new, old))
    assert plan.awaited == ("new1", "old1", "new2", "old2", HERE)
    assert not any(streaming(plan).values())


@pytest.mark.parametrize("walked", ["api", "api!east"])
def test_nobody_waits_for_a_cast(walked: str) -> None:
    plan = message(walked, needs_response=False).plan(CHILDREN, mixed("1.3", "1.0"))
    assert plan.awaited is None
    assert len(plan.hops) == 4


def test_at_the_hop_limit_nobody_else_is_waited_for() -> None:
    plan = message("api!east", hop_count=10).plan(CHILDREN, mixed("1.3", "1.0"))
    assert plan == Plan(run_here=True, hops=(), awaited=(), streams=True)


def test_planning_changes_nothing() -> None:
    came = message("api!east")
    before = captures.sent(came, "1.3")
    came.plan(CHILDREN, mixed("1.3", "1.0"))
    assert captures.sent(came, "1.3") == before
    assert came.header.streams


@pytest.mark.parametrize("old", GATHERING)
def test_an_older_neighbor_is_not_told_a_word_of_it(old: str) -> None:
    asked = message("api")
    for hop in asked.plan(CHILDREN, mixed("1.3", old)).hops:
        version = mixed("1.3", old)(hop.neighbor)
        assert ("stream" in captures.sent(asked.along(hop), version)) is hop.neighbor.name.startswith("new")


@each(
    ("walked", "streams", "back"),
    [
        ("api!east!az1", True, "az1!east!api"),
        ("api!east!az1", False, "az1!east"),
        ("api!east", True, "east!api"),
        ("api!east", False, "east!api"),
        ("az1!east!api", True, "api!east!az1"),
    ],
)
def test_who_streams_answers_to_the_source_and_who_does_not_to_who_asked(walked: str, streams: bool, back: str) -> None:
    asked = message(walked, streams=streams)
    assert str(asked.header.return_path) == back
    answer = ResponseMessage.answering(asked, [EncodedResponse("{}")])
    assert (str(answer.header.target), answer.here) == (back, asked.here)


@each(("part", "missing"), [(HERE, "api!east"), ("az1", "api!east!az1"), ("az1!far", "api!east!az1!far")])
def test_who_was_silent_is_named_by_the_way_that_leads_there(part: str, missing: str) -> None:
    assert str(message("api!east").missing(part)) == missing


@every_mixture
def test_each_hop_says_what_is_spoken_with_that_neighbor(new: str, old: str) -> None:
    for walked in ("api", "api!east"):
        plan = message(walked).plan(CHILDREN, mixed(new, old))
        spoken = {hop.neighbor.name: hop.version for hop in plan.hops}
        assert spoken == {"new1": new, "old1": old, "new2": new, "old2": old}

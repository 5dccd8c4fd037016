"""Weigher "mute_child": silent children rank last but are not rejected."""

from __future__ import annotations

from cells.neighbors import State
from cells.scheduler import Scheduler
from cells.scheduler.weighers.mute_child import MuteChild
from cells.scheduler.weighers.weight_offset import WeightOffset
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child, own


@each(
    ("state", "weight"),
    [
        (State.UP, 0.0),
        (State.UNKNOWN, 0.0),
        (State.RECONNECTING, 0.5),
        (State.SILENT, 0.5),
        (State.MUTE, 1.0),
        (State.UNREACHABLE, 2.0),
    ],
)
def test_weight_of_each_state(state: State, weight: float) -> None:
    assert MuteChild("mute_child").weigh(child("api!east", state=state), ANY) == weight


def test_every_state_is_covered() -> None:
    assert {state.value for state in State} == {"up", "unknown", "silent", "mute", "unreachable", "reconnecting"}


def test_no_usual_offset_outweighs_silence() -> None:
    candidates = [
        child("api!gone", state=State.UNREACHABLE, weight_offset=10_000.0),
        child("api!mute", state=State.MUTE, weight_offset=10_000.0),
        child("api!disliked", weight_offset=-10_000.0),
        own("api"),
    ]
    weighers = [WeightOffset("weight_offset"), MuteChild("mute_child")]
    ranking = Scheduler([], weighers).rank(candidates, ANY)
    assert [candidate.name for candidate in ranking.chosen] == ["api", "disliked", "mute", "gone"]

"""Weigher "weight_offset": the operator's preference from the row."""

from __future__ import annotations

from cells.scheduler import Scheduler
from cells.scheduler.weighers.weight_offset import WeightOffset
from tests.unit.scheduler.candidates import ANY, child, own


def test_the_weight_is_the_offset_of_the_row() -> None:
    weigher = WeightOffset("weight_offset")
    assert weigher.weigh(child("api!east", weight_offset=-2.5), ANY) == -2.5
    assert weigher.weigh(own("api"), ANY) == 0.0
    assert not weigher.is_normalized


def test_order() -> None:
    candidates = [child("api!a", weight_offset=-1.0), own("api"), child("api!b", weight_offset=1.0)]
    ranking = Scheduler([], [WeightOffset("weight_offset")]).rank(candidates, ANY)
    assert [candidate.name for candidate in ranking.chosen] == ["b", "api", "a"]

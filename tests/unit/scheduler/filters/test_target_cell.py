"""Filter "target_cell": the target, and the cells on the way there."""

from __future__ import annotations

import pytest

from cells.scheduler import any_cell
from cells.scheduler.filters.target_cell import TargetCell
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child, own, passes

FILTER = TargetCell("target_cell")
EAST = child("api!east", subtree={"az1": {"rack": {}}, "az2": {}})
WEST = child("api!west")


@each("candidate", [own("api"), EAST, WEST], ids=str)
def test_without_a_target_all_pass(candidate: object) -> None:
    assert passes(FILTER, candidate, ANY)  # type: ignore[arg-type]


@each("target", ["api!east", "api!east!az1", "api!east!unknown!below", "east", "az1", "rack"])
def test_only_the_way_to_the_target_passes(target: str) -> None:
    required = any_cell(target=target)
    assert passes(FILTER, EAST, required)
    assert FILTER.reject(WEST, required) == f"it is not the target {target}, nor on the way there"
    assert FILTER.reject(own("api"), required) == f"it is not the target {target}"


@pytest.mark.parametrize("target", ["api!east", "east"])
def test_at_the_target_only_itself_passes(target: str) -> None:
    required = any_cell(target=target)
    assert passes(FILTER, own("api!east"), required)
    assert not passes(FILTER, child("api!east!az1"), required)


def test_a_cell_on_the_way_is_not_the_target() -> None:
    assert not passes(FILTER, own("api!east"), any_cell(target="api!east!az1"))
    assert not passes(FILTER, own("api!east"), any_cell(target="api"))


def test_every_path_of_a_cell_with_two_parents_leads_there() -> None:
    az1 = own("east!az1", other_paths=(child("west!az1").path,))
    assert all(passes(FILTER, az1, any_cell(target=target)) for target in ("east!az1", "west!az1", "az1"))
    rack = child("east!az1!rack", other_paths=(child("west!az1!rack").path,))
    assert passes(FILTER, rack, any_cell(target="west!az1!rack!shelf"))
    assert not passes(FILTER, rack, any_cell(target="north!az1!rack"))

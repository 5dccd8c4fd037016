"""Filter "different_cell": excluded cells, and branches that are excluded completely."""

from __future__ import annotations

from cells.scheduler import any_cell
from cells.scheduler.filters.different_cell import DifferentCell
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child, own, passes

FILTER = DifferentCell("different_cell")
EAST = child("api!east", subtree={"az1": {}, "az2": {}})
ALL = ["api!east", "api!east!az1", "api!east!az2"]


def test_without_exclusions_all_pass() -> None:
    assert passes(FILTER, EAST, ANY)
    assert passes(FILTER, own("api"), ANY)


def test_the_cell_itself_is_excluded_alone() -> None:
    assert FILTER.reject(own("api!east"), any_cell(different_from=["api!east"])) == "it is excluded"
    assert passes(FILTER, own("api!east"), any_cell(different_from=["api!east!az1", "api"]))


@each("left", ALL)
def test_a_branch_with_a_cell_that_is_not_excluded_passes(left: str) -> None:
    assert passes(FILTER, EAST, any_cell(different_from=[path for path in ALL if path != left]))


def test_a_completely_excluded_branch_is_rejected() -> None:
    assert FILTER.reject(EAST, any_cell(different_from=ALL)) == "it is excluded, with all cells below it"


def test_any_path_of_a_cell_with_two_parents_excludes_it() -> None:
    az1 = child("east!az1", other_paths=(child("west!az1").path,), subtree={"rack": {}})
    assert passes(FILTER, az1, any_cell(different_from=["west!az1"]))
    assert not passes(FILTER, az1, any_cell(different_from=["west!az1", "east!az1!rack"]))

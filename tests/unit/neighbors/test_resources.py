"""The resources of a cell: its own, those that its services report, and those of the cells below it."""

from __future__ import annotations

import pytest

from cells.neighbors import Neighbor, NeighborTable
from cells.neighbors.resources import Resources


class Cell:
    """Resources of a cell with the child az1, and their clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.table = NeighborTable(300.0, self.clock)
        self.table.replace([Neighbor("az1", "memory://x/az1", is_parent=False, driver="memory")])
        self.resources = Resources({"os": ["linux"]}, self.table, 10.0, self.clock)

    def clock(self) -> float:
        return self.now


@pytest.fixture
def cell() -> Cell:
    return Cell()


def test_latest_report_of_each_service_counts(cell: Cell) -> None:
    cell.resources.report("one", {"ram": 1})
    cell.now = 5.0
    cell.resources.report("two", {"ram": 10})
    cell.resources.report("two", {"ram": 20})
    assert cell.resources.own_capacities() == {"ram": 21}


def test_old_reports_do_not_count(cell: Cell) -> None:
    cell.resources.report("one", {"ram": 1})
    cell.now = 5.0
    cell.resources.report("two", {"ram": 2})
    cell.now = 10.0
    assert cell.resources.own_capacities() == {"ram": 3}
    cell.now = 10.5
    assert cell.resources.own_capacities() == {"ram": 2}
    cell.now = 100.0
    assert cell.resources.own_capacities() == {}


def test_totals_include_the_cells_below_until_they_are_mute(cell: Cell) -> None:
    cell.table.record("az1", capabilities={"os": ["windows"]}, capacities={"ram": 7})
    cell.resources.report("one", {"ram": 1})
    assert cell.resources.capabilities() == {"os": ["linux", "windows"]}
    assert cell.resources.capacities() == {"ram": 8}
    assert (cell.resources.own_capabilities, cell.resources.own_capacities()) == ({"os": ["linux"]}, {"ram": 1})
    cell.now = 301.0
    assert cell.resources.capabilities() == {"os": ["linux"]}
    assert cell.resources.capacities() == {}

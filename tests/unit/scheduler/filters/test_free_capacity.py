"""A cell that says that it is too full is not asked."""

from __future__ import annotations

from typing import Any

from cells.scheduler import any_cell
from cells.scheduler.filters.free_capacity import FreeCapacity
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child, passes

FILTER = FreeCapacity("free_capacity")


@each(
    ("capacities", "fits"),
    [
        ({"ram_mb": 2048, "disk_gb": 1}, True),
        ({"ram_mb": 2047.9, "disk_gb": 1}, False),
        ({"ram_mb": {"free": 4096, "total": 8192}, "disk_gb": {"free": 0.5}}, False),
        ({"ram_mb": {"free": 4096, "total": 8192}}, True),
        ({"ram_mb": {"total": 1}}, True),
        ({"ram_mb": "none"}, True),
        ({"disk_gb": -1}, False),
        ({}, True),
    ],
)
def test_size(capacities: dict[str, Any], fits: bool) -> None:
    assert (
        passes(FILTER, child("api!east", capacities=capacities), any_cell(size={"ram_mb": 2048, "disk_gb": 1})) is fits
    )


def test_it_is_said_how_much_is_missing() -> None:
    east = child("api!east", capacities={"ram_mb": {"free": 512}})
    assert FILTER.reject(east, any_cell(size={"ram_mb": 2048})) == "it has 512 ram_mb free, not 2048"


def test_nothing_is_wanted() -> None:
    full = child("api!east", capacities={"ram_mb": 0})
    assert passes(FILTER, full, ANY)
    assert passes(FILTER, full, any_cell(size={"ram_mb": 0}))

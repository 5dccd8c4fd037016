"""Filter "free_capacity": cells that report too little free capacity."""

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
        *(({"ram_mb": unknown}, True) for unknown in ({"total": 1}, "none")),
        *(({"disk_gb": -1}, False), ({}, True)),
    ],
)
def test_size(capacities: dict[str, Any], fits: bool) -> None:
    required = any_cell(size={"ram_mb": 2048, "disk_gb": 1})
    assert passes(FILTER, child("api!east", capacities=capacities), required) is fits


def test_the_reason_gives_free_and_requested_size() -> None:
    east = child("api!east", capacities={"ram_mb": {"free": 512}})
    assert FILTER.reject(east, any_cell(size={"ram_mb": 2048})) == "it has 512 ram_mb free, not 2048"


def test_no_size_is_requested() -> None:
    full = child("api!east", capacities={"ram_mb": 0})
    assert passes(FILTER, full, ANY)
    assert passes(FILTER, full, any_cell(size={"ram_mb": 0}))

"""Weigher "free_capacity": more free capacity is better if the request has a size."""

from __future__ import annotations

from typing import Any

from cells.scheduler import Scheduler, any_cell
from cells.scheduler.weighers.free_capacity import MAX_FITS, FreeCapacity
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child

WEIGHER = FreeCapacity("free_capacity")


@each(
    ("capacities", "size", "weight"),
    [
        ({"ram_mb": 8192}, {"ram_mb": 2048}, 4.0),
        ({"ram_mb": 8191}, {"ram_mb": 2048}, 3.0),
        ({"ram_mb": {"free": 8192}, "disk_gb": 20}, {"ram_mb": 2048, "disk_gb": 10}, 2.0),
        ({"ram_mb": 8192}, {"ram_mb": 2048, "disk_gb": 0}, 4.0),
        ({"ram_mb": -1}, {"ram_mb": 2048}, -1.0),
        *(({"ram_mb": 8192}, size, 0.0) for size in ({"ram_mb": 0}, {}, {"ram_mb": 2048, "disk_gb": 10})),
        ({}, {"ram_mb": 2048}, 0.0),
        ({"ram_mb": 1e308}, {"ram_mb": 1e-300}, MAX_FITS),
    ],
)
def test_the_weight_is_the_number_of_fits(capacities: dict[str, Any], size: dict[str, float], weight: float) -> None:
    assert WEIGHER.weigh(child("api!east", capacities=capacities), any_cell(size=size)) == weight


def test_scale_of_the_row() -> None:
    east = child("api!east", capacities={"ram_mb": 8}, weight_scale=0.5)
    assert WEIGHER.weigh(east, any_cell(size={"ram_mb": 2})) == 2.0
    assert WEIGHER.weigh(east, ANY) == 0.0


def test_order() -> None:
    candidates = [child(f"api!c{room}", capacities={"ram_mb": room}) for room in (4, 16, 8)]
    required = any_cell(size={"ram_mb": 2})
    spread = Scheduler([], [WEIGHER]).rank(candidates, required)
    assert [candidate.name for candidate in spread.chosen] == ["c16", "c8", "c4"]
    packed = Scheduler([], [WEIGHER], {"free_capacity": -1.0}).rank(candidates, required)
    assert [candidate.name for candidate in packed.chosen] == ["c4", "c8", "c16"]

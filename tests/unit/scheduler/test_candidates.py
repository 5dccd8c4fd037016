"""Candidates: free capacity, and the cells that a candidate stands for."""

from __future__ import annotations

import math
from typing import Any

from tests.cases import each
from tests.unit.scheduler.candidates import child, own


@each(
    ("capacities", "name", "room"),
    [
        ({}, "ram_mb", None),
        ({"ram_mb": 5}, "ram_mb", 5.0),
        ({"ram_mb": -5.5}, "ram_mb", -5.5),
        ({"ram_mb": {"free": 3, "total": 8}}, "ram_mb", 3.0),
        ({"ram_mb": {"total": 8}}, "ram_mb.total", 8.0),
        ({"ram_free": {"total_mb": 4, "units_by_mb": {"512": 8}}}, "ram_free.units_by_mb.512", 8.0),
        ({"ram.mb": 1, "ram": {"mb": 2}}, "ram.mb", 1.0),
        ({"disk": {"a.b": {"free": 2}}}, "disk.a.b", 2.0),
        ({"disk": 7}, "disk.a.b", None),
        *(({"ram_mb": wrong}, "ram_mb", None) for wrong in ("5", True, None, math.nan, math.inf, 10**400)),
        *(({"ram_mb": room}, "ram_mb", None) for room in ({"free": {"free": 1}}, {"total": 8})),
    ],
)
def test_free_room(capacities: dict[str, Any], name: str, room: float | None) -> None:
    assert child("api!east", capacities=capacities).free_room(name) == room


def reached(candidate: Any) -> list[list[str]]:
    return sorted([str(path) for path in paths] for paths in candidate.reaches())


def test_a_child_reaches_itself_and_all_below() -> None:
    east = child("api!east", subtree={"az1": {"rack": {}}, "az2": {}})
    assert reached(east) == [["api!east"], ["api!east!az1"], ["api!east!az1!rack"], ["api!east!az2"]]


def test_the_cell_itself_reaches_nothing_else() -> None:
    assert reached(own("api!east")) == [["api!east"]]


def test_a_cell_with_two_parents_has_two_paths() -> None:
    west = child("west!az1").path
    az1 = child("east!az1", other_paths=(west,), subtree={"rack": {}})
    assert az1.paths == (az1.path, west)
    assert reached(az1) == [["east!az1", "west!az1"], ["east!az1!rack", "west!az1!rack"]]


def test_a_subtree_may_be_deeper_than_python_calls() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"a": deep}
    assert sum(1 for _ in child("a", subtree=deep).reaches()) == 2001

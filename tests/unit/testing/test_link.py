"""A link passes faults on to its ways: both, or one."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.link import Link
from cells.testing.way import Way

API, EAST = CellPath(["api"]), CellPath(["api", "east"])
ROW = Neighbor("any", "memory://bus/any", is_parent=False, driver="memory")


@pytest.fixture
def ways() -> dict[CellPath, Way]:
    return {API: Way(), EAST: Way()}


def arrived(way: Way) -> int:
    """How often a message arrives that is sent now; -1 if it is not taken."""
    times: list[bool] = []
    try:
        way.carry(ROW, lambda: times.append(True))
    except exceptions.NeighborUnreachable:
        return -1
    return len(times)


@pytest.mark.parametrize(("fault", "seen"), [("drop", 0), ("duplicate", 2), ("cut", -1)])
def test_fault_is_in_both_directions(ways: dict[CellPath, Way], fault: str, seen: int) -> None:
    link = Link(ways)
    assert getattr(link, fault)() is link
    assert {path: arrived(way) for path, way in ways.items()} == {API: seen, EAST: seen}
    assert link.restore() is link
    assert {path: arrived(way) for path, way in ways.items()} == {API: 1, EAST: 1}


@pytest.mark.parametrize("name", ["east", "api!east"])
@pytest.mark.parametrize(("fault", "seen"), [("drop", 0), ("duplicate", 2), ("cut", -1)])
def test_fault_is_in_one_direction(ways: dict[CellPath, Way], name: str, fault: str, seen: int) -> None:
    getattr(Link(ways).toward(name), fault)()
    assert {path: arrived(way) for path, way in ways.items()} == {API: 1, EAST: seen}


def test_each_direction_counts_for_itself(ways: dict[CellPath, Way]) -> None:
    Link(ways).drop(1)
    assert {path: [arrived(way), arrived(way)] for path, way in ways.items()} == {API: [0, 1], EAST: [0, 1]}


def test_delay_is_in_both_directions(ways: dict[CellPath, Way]) -> None:
    with Link(ways).delay(600):
        assert {path: arrived(way) for path, way in ways.items()} == {API: 0, EAST: 0}
    for way in ways.values():
        way.close()


def test_faults_end_with_the_block(ways: dict[CellPath, Way]) -> None:
    with Link(ways).cut().toward("api") as one:
        assert arrived(ways[API]) == -1
    assert {path: arrived(way) for path, way in ways.items()} == {API: 1, EAST: -1}
    with pytest.raises(ZeroDivisionError), one.cut():
        raise ZeroDivisionError
    assert arrived(ways[API]) == 1


def test_link_does_not_lead_elsewhere(ways: dict[CellPath, Way]) -> None:
    with pytest.raises(exceptions.CellNotFound, match="leads to api and api!east, not to west"):
        Link(ways).toward("west")
    with pytest.raises(exceptions.CellNotFound, match="leads to api!east, not to api"):
        Link(ways).toward("east").toward("api")

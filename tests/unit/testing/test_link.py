"""A link applies faults to both of its wires, or to one."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.faults import FaultyWire
from cells.testing.link import Link

API, EAST = CellPath(["api"]), CellPath(["api", "east"])
ROW = Neighbor("any", "memory://bus/any", is_parent=False, driver="memory")


@pytest.fixture
def wires() -> dict[CellPath, FaultyWire]:
    return {API: FaultyWire(), EAST: FaultyWire()}


def arrived(wire: FaultyWire) -> int:
    """Return how often a message arrives that is sent now; -1 if it is refused."""
    times: list[bool] = []
    try:
        wire.carry(ROW, lambda: times.append(True))
    except exceptions.NeighborUnreachable:
        return -1
    return len(times)


@pytest.mark.parametrize(("fault", "seen"), [("drop", 0), ("duplicate", 2), ("cut", -1)])
def test_fault_is_in_both_directions(wires: dict[CellPath, FaultyWire], fault: str, seen: int) -> None:
    link = Link(wires)
    assert getattr(link, fault)() is link
    assert {path: arrived(wire) for path, wire in wires.items()} == {API: seen, EAST: seen}
    assert link.restore() is link
    assert {path: arrived(wire) for path, wire in wires.items()} == {API: 1, EAST: 1}


@pytest.mark.parametrize("name", ["east", "api!east"])
@pytest.mark.parametrize(("fault", "seen"), [("drop", 0), ("duplicate", 2), ("cut", -1)])
def test_fault_is_in_one_direction(wires: dict[CellPath, FaultyWire], name: str, fault: str, seen: int) -> None:
    getattr(Link(wires).toward(name), fault)()
    assert {path: arrived(wire) for path, wire in wires.items()} == {API: 1, EAST: seen}


def test_each_direction_counts_for_itself(wires: dict[CellPath, FaultyWire]) -> None:
    Link(wires).drop(1)
    assert {path: [arrived(wire), arrived(wire)] for path, wire in wires.items()} == {API: [0, 1], EAST: [0, 1]}


def test_delay_is_in_both_directions(wires: dict[CellPath, FaultyWire]) -> None:
    with Link(wires).delay(600):
        assert {path: arrived(wire) for path, wire in wires.items()} == {API: 0, EAST: 0}
    for wire in wires.values():
        wire.close()


def test_faults_end_with_the_block(wires: dict[CellPath, FaultyWire]) -> None:
    with Link(wires).cut().toward("api") as one:
        assert arrived(wires[API]) == -1
    assert {path: arrived(wire) for path, wire in wires.items()} == {API: 1, EAST: -1}
    with pytest.raises(ZeroDivisionError), one.cut():
        raise ZeroDivisionError
    assert arrived(wires[API]) == 1


def test_link_does_not_lead_elsewhere(wires: dict[CellPath, FaultyWire]) -> None:
    with pytest.raises(exceptions.CellNotFound):
        Link(wires).toward("west")
    with pytest.raises(exceptions.CellNotFound):
        Link(wires).toward("east").toward("api")

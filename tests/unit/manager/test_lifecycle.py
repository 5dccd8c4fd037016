"""Start, changes and stop of a manager."""

from __future__ import annotations

import pytest

from cells.neighbors import Changes, Neighbor
from tests.unit.endpoints.cells_in_memory import CellInMemory


def test_neighbor_without_an_installed_driver_is_counted() -> None:
    with CellInMemory("east") as cell:
        row = Neighbor("az1", "memory://x/az1", is_parent=False, driver="no-such-driver")
        cell.service.apply(Changes(added=(row,), removed=(), changed=()))
        assert cell.counters.as_dict() == {"refused.PluginError": 1}


def test_changes_are_announced_only_after_the_start() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        rows = tuple(cell.table.snapshot().all().values())
        cell.service.apply(Changes(added=rows, removed=(), changed=()))
        assert "sent" not in cell.counters.as_dict()
        cell.service.announcer.start()
        assert cell.next_methods("api", 4) == ["ping", "ping", "update_capabilities", "update_capacities"]
        assert cell.next_methods("az1", 2) == ["announce_capabilities", "announce_capacities"]


class Source:
    """Rows of neighbors that a test changes."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def neighbors(self) -> list[Neighbor]:
        return [Neighbor(name, f"memory://x/{name}", is_parent=False, driver="memory") for name in self.names]

    def close(self) -> None: ...


def test_drivers_are_told_once_after_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    with CellInMemory("east") as cell:
        driver = cell.service.drivers.get("memory")
        monkeypatch.setattr(driver, "set_neighbors", lambda rows: told.append([row.name for row in rows]))
        cell.service.loader.source = source = Source("az1")
        for names in (("az1",), ("az1",), ("az1", "az2"), ("az2",)):
            source.names = names
            cell.service.reset()
        assert told == [["az1"], ["az1"], ["az1", "az2"], ["az2"]]


def test_wait_returns_after_the_stop_and_a_second_stop_does_nothing() -> None:
    with CellInMemory("east") as cell:
        cell.service.stop()
        cell.service.wait()
        cell.service.stop()

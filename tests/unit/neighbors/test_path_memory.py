"""The last known paths of the parents outlive the manager (case C3)."""

from __future__ import annotations

import queue
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.path_memory import PathFile, PathMemory, PathStore
from cells.neighbors.table import IS_PLACED
from cells.neighbors.topology import Topology
from tests.cases import each


class Store:
    """Store in memory, which may be away."""

    def __init__(self, paths: Mapping[str, str] | None = None) -> None:
        self.paths = dict(paths or {})
        self.is_away = False

    def known_paths(self) -> dict[str, str]:
        self._check()
        return dict(self.paths)

    def store_known_paths(self, paths: Mapping[str, str]) -> None:
        self._check()
        self.paths = dict(paths)

    def _check(self) -> None:
        if self.is_away:
            raise exceptions.DatabaseUnavailable("away")


class Cell:
    """A start of the manager of az1; its threads run when the test says so."""

    def __init__(self, store: PathStore, parents: str = "east") -> None:
        self.table = NeighborTable(300.0)
        self.table.replace(
            [Neighbor(name, f"memory://x/{name}", is_parent=True, driver="memory") for name in parents.split()]
        )
        self.topology = Topology("az1", self.table)
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.memory = PathMemory(store=store, table=self.table, topology=self.topology, spawn=self._spawn)
        self.memory.recall()

    def _spawn(self, work: Callable[[], None], _name: str) -> Any:
        self._work.put(work)

    def hear(self, name: str, **description: object) -> None:
        """Take the answer of a parent to a ping."""
        self.table.record_description(name, description)
        self.memory.keep()

    def run_threads(self) -> int:
        count = 0
        while not self._work.empty():
            self._work.get()()
            count += 1
        return count

    @property
    def path(self) -> str:
        return str(self.topology.own_path)


def test_a_cell_that_starts_again_knows_its_path_at_once() -> None:
    store = Store()
    first = Cell(store)
    assert (first.path, first.topology.is_placed) == ("east!az1", False)
    first.hear("east", path="api!east")
    first.run_threads()
    again = Cell(store)
    assert (again.path, again.topology.is_placed) == ("api!east!az1", True)


def test_a_path_is_stored_once() -> None:
    cell = Cell(Store())
    for _ in range(3):
        cell.hear("east", path="api!east")
    assert cell.run_threads() == 1
    cell.hear("east", path="api!east")
    assert cell.run_threads() == 0


def test_a_new_path_replaces_the_last_one() -> None:
    store = Store({"east": "api!east"})
    cell = Cell(store)
    cell.hear("east", path="top!api!east")
    cell.run_threads()
    assert (cell.path, store.paths) == ("top!api!east!az1", {"east": "top!api!east"})


def test_a_parent_that_does_not_know_its_own_path_changes_nothing() -> None:
    store = Store({"east": "api!east"})
    cell = Cell(store)
    cell.hear("east", path="east", **{IS_PLACED: False})
    assert (cell.path, cell.run_threads(), store.paths) == ("api!east!az1", 0, {"east": "api!east"})
    fresh = Cell(Store())
    fresh.hear("east", path="east", **{IS_PLACED: False})
    assert not fresh.topology.is_placed


def test_a_cell_is_placed_once_each_parent_is() -> None:
    cell = Cell(Store({"east": "api!east"}), "east west")
    assert not cell.topology.is_placed
    cell.table.record_version("west", {"version": "1.4"})
    assert not cell.topology.is_placed
    cell.table.record("west", has_no_ping=True)  # a cell of Nova announces no path
    assert cell.topology.is_placed
    assert Cell(Store(), "").topology.is_placed


def test_a_parent_whose_cap_is_a_release_of_nova_is_not_waited_for() -> None:
    cell = Cell(Store())
    row = Neighbor("east", "memory://x/east", is_parent=True, driver="memory", version_cap="stein")
    cell.table.replace([row])
    assert (cell.path, cell.topology.is_placed) == ("east!az1", True)


def test_a_store_that_is_away_is_tried_again_at_the_next_announcement() -> None:
    store = Store()
    store.is_away = True
    cell = Cell(store)
    cell.hear("east", path="api!east")
    cell.run_threads()
    store.is_away = False
    cell.hear("east", path="api!east")
    cell.run_threads()
    assert store.paths == {"east": "api!east"}


def test_a_file_that_another_user_may_have_written_is_not_read(tmp_path: Path) -> None:
    paths = PathFile(str(tmp_path), "az1")
    paths.store_known_paths({"east": "api!east"})
    (file,) = tmp_path.iterdir()
    file.chmod(0o666)
    assert paths.known_paths() == {}


@each("parents", [{}, {"east": "api!east"}, {"east/2": "api!ä", "b": "b"}])
def test_a_file_keeps_the_paths_of_one_cell(tmp_path: Path, parents: dict[str, str]) -> None:
    PathFile(str(tmp_path), "../az1").store_known_paths({"old": "old"})
    PathFile(str(tmp_path), "../az1").store_known_paths(parents)
    assert PathFile(str(tmp_path), "../az1").known_paths() == parents
    assert PathFile(str(tmp_path), "az2").known_paths() == {}
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@each("text", ["", "{", "[]", '{"east": 7}', "\x00"])
def test_a_broken_file_holds_no_paths(tmp_path: Path, text: str) -> None:
    store = PathFile(str(tmp_path), "az1")
    store.store_known_paths({})
    next(tmp_path.iterdir()).write_text(text)
    assert store.known_paths() == {}


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    store = PathFile(str(tmp_path), "az1")
    store.store_known_paths({})
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()  # root may write anywhere, but no file replaces a directory
    with pytest.raises(exceptions.ConfigurationError):
        store.store_known_paths({"east": "api!east"})
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        PathFile(str(tmp_path / "missing"), "az1").store_known_paths({})

"""Store of a cell in a tree: the same rows and paths as the store of a manager."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.cell_store import CellStore
from cells.testing.files import CellFiles

EAST = CellPath(["api", "east"])
ROWS = [
    Neighbor("api", "memory://b/api", is_parent=True, driver="memory", version_cap="1.2", max_foreign_seconds=1.5),
    Neighbor("az1", "memory://b/az1", is_parent=False, driver="memory", weight_offset=-0.5, allowed_methods="ping"),
]


@pytest.fixture
def files() -> Iterator[CellFiles]:
    files = CellFiles([EAST])
    files.write_database(EAST, reversed(ROWS))
    yield files
    files.remove()


@pytest.fixture
def store(files: CellFiles) -> CellStore:
    return CellStore(files.database(EAST))


@pytest.fixture
def database(files: CellFiles) -> Iterator[Database]:
    """The store of a manager, for the same file."""
    with contextlib.closing(Database(cells_conf.load([files.write_config(EAST, 1)]))) as database:
        yield database


def test_the_neighbors_are_those_of_the_database(store: CellStore, database: Database) -> None:
    assert store.neighbors() == database.neighbors() == ROWS
    database.delete("az1")
    assert store.neighbors() == database.neighbors() == ROWS[:1]


def test_paths_are_replaced(store: CellStore, database: Database) -> None:
    assert store.known_paths() == {}
    for paths in ({"api": "api", "other": "top!other"}, {"api": "top!api"}, {}):
        store.store_known_paths(paths)
        assert store.known_paths() == database.known_paths() == paths


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells.sqlite")
    for use in (store.neighbors, store.known_paths, lambda: store.store_known_paths({"api": "api"})):
        with pytest.raises(exceptions.DatabaseUnavailable, match=r"cells\.sqlite"):
            use()
    assert list(tmp_path.iterdir()) == []

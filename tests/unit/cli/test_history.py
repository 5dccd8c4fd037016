"""``cells neighbor history``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.transitions import Transition
from tests.unit.cli.conftest import Cells
from tests.unit.db.conftest import configuration

START = 1_790_000_000.0


@pytest.fixture
def database(cells: Cells, empty_database: Path) -> Database:
    shutil.copyfile(empty_database, cells.directory / "cells.sqlite")
    return Database(configuration(cells.directory, f"sqlite:///{cells.directory}/cells.sqlite"))


@pytest.fixture
def filled(database: Database) -> Database:
    database.record_transitions(
        [
            Transition("east", "m1", "up", START, "m7 answers."),
            Transition("west", "m1", "up", START + 1),
            Transition("east", "m2", "up", START + 2),
            Transition("east", "m1", "silent", START + 60.5, "east does not answer.\nCall it."),
        ]
    )
    return database


def test_a_state_lasts_until_the_next_one_of_the_same_manager(cells: Cells, filled: Database) -> None:
    found = cells.succeed("neighbor", "history", "east", "-f", "json").value
    assert [tuple(row.values()) for row in found] == [
        ("east", "up", "2026-09-21T14:13:20Z", "2026-09-21T14:14:20Z", 60.5, "m1", "m7 answers."),
        ("east", "up", "2026-09-21T14:13:22Z", None, None, "m2", ""),
        ("east", "silent", "2026-09-21T14:14:20Z", None, None, "m1", "east does not answer.\nCall it."),
    ]


def test_the_newest_changes_of_all_neighbors(cells: Cells, filled: Database) -> None:
    found = cells.succeed("neighbor", "history", "--limit", "2", "-f", "json").value
    assert [(row["neighbor"], row["state"]) for row in found] == [("east", "up"), ("east", "silent")]
    assert len(cells.succeed("neighbor", "history", "-f", "value").out.splitlines()) == 4


def test_neighbors_without_a_history(cells: Cells, filled: Database) -> None:
    filled.create(Neighbor("north", "memory://n/", is_parent=False, driver="memory"))
    assert cells.succeed("neighbor", "history", "north", "-f", "json").value == []
    assert "NeighborNotFound" in cells.fail("neighbor", "history", "south")


def test_without_a_database_there_is_no_history(cells: Cells, tmp_path: Path) -> None:
    cells.configure(cells_config=str(tmp_path / "cells.json"))
    assert "cells_config" in cells.fail("neighbor", "history")

"""``cells neighbor export`` and ``import``."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
import yaml

from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from tests.cases import each
from tests.unit.cli.conftest import Cells
from tests.unit.db.conftest import configuration

URL = "rabbit://u:s3kr3t@h1/v"
MASKED = "rabbit://u:***@h1/v"
EAST = Neighbor("east", URL, is_parent=False, version_cap="1.1", weight_scale=2.0)
TOP = Neighbor("top", "memory://top/", is_parent=True, driver="memory", api_url="http://x", allowed_methods="a,b:c")


@pytest.fixture
def database(cells: Cells, empty_database: Path) -> Database:
    shutil.copyfile(empty_database, cells.directory / "cells.sqlite")
    return Database(configuration(cells.directory, f"sqlite:///{cells.directory}/cells.sqlite"))


@pytest.fixture
def filled(database: Database) -> Database:
    database.create(EAST)
    database.create(TOP)
    return database


@pytest.fixture
def file(cells: Cells) -> Path:
    return cells.directory / "rows.yaml"


def test_an_export_is_imported_into_an_empty_database(cells: Cells, filled: Database, file: Path) -> None:
    cells.succeed("neighbor", "export", str(file), "--show-secrets")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for row in (EAST, TOP):
        filled.delete(row.name)
    cells.succeed("neighbor", "import", str(file))
    assert filled.neighbors() == [EAST, TOP]


def test_an_export_is_a_file_that_the_manager_can_read(cells: Cells, filled: Database, file: Path) -> None:
    listed = cells.succeed("neighbor", "list", "--show-secrets", "-f", "json").value
    cells.succeed("neighbor", "export", str(file), "--show-secrets")
    cells.configure(cells_config=str(file))
    assert cells.succeed("neighbor", "list", "--show-secrets", "-f", "json").value == listed
    assert yaml.safe_load(cells.succeed("neighbor", "export").out)["east"]["transport_url"] == MASKED
    assert "cells_config" in cells.fail("neighbor", "import", str(file))


def test_a_masked_export_changes_nothing(cells: Cells, filled: Database) -> None:
    out = cells.succeed("neighbor", "export").out
    assert MASKED in out
    assert "s3kr3t" not in out
    assert cells.succeed("neighbor", "import", "-", stdin=out).out == "0 created, 0 changed, 0 removed, 2 unchanged.\n"
    assert filled.neighbors() == [EAST, TOP]


def test_the_changes_are_shown(cells: Cells, filled: Database, file: Path) -> None:
    file.write_text(
        f"""
east: {{transport_url: "{MASKED}", is_parent: false, version_cap: "1.1", weight_scale: 3}}
west: {{transport_url: "rabbit://u:n3w@h2/", is_parent: false}}
"""
    )
    before = """\
~ east
    weight_scale: 2.0 -> 3.0
+ west
    is_parent: false
    driver: rpc
    transport_url: rabbit://u:***@h2/
"""
    dry = cells.succeed("neighbor", "import", str(file), "--dry-run").out
    kept = "1 created, 1 changed, 0 removed, 0 unchanged, 1 not in the file (--prune deletes them).\n"
    assert dry == f"{before}Dry run, nothing is written: {kept}"
    assert filled.neighbors() == [EAST, TOP]
    pruned = cells.succeed("neighbor", "import", str(file), "--dry-run", "--prune").out
    assert "\n- top\n" in pruned
    assert cells.succeed("neighbor", "import", str(file)).out == before + kept
    assert [row.name for row in filled.neighbors()] == ["east", "top", "west"]
    assert cells.succeed("neighbor", "import", str(file), "--prune", "-f", "json").value == [
        {"neighbor": "top", "change": "removed", "column": None, "before": None, "after": None}
    ]
    assert [(row.name, row.transport_url) for row in filled.neighbors()] == [
        ("east", URL),
        ("west", "rabbit://u:n3w@h2/"),
    ]


@each("output", ["text", "json", "table", "value", "csv", "yaml"])
def test_no_format_shows_a_password(cells: Cells, filled: Database, file: Path, output: str) -> None:
    rows = {"east": {"transport_url": "rabbit://u:n3w@h1/v", "is_parent": False}, "x": {"transport_url": URL}}
    rows["x"]["is_parent"] = True
    file.write_text(json.dumps(rows))
    out = cells.succeed("neighbor", "import", str(file), "--dry-run", "-f", output).out
    assert "another password" in out
    assert "n3w" not in out
    assert "s3kr3t" not in out


@each(
    ("rows", "told"),
    [
        ({"api": {"transport_url": URL, "is_parent": False}}, "'api'.*name of this cell"),
        ({"east": {"transport_url": URL, "is_parent": False, "driver": "pigeon"}}, "'east'.*'pigeon'"),
        ({"east": {"transport_url": "pigeon://h/", "is_parent": False}}, "'east'.*'pigeon'"),
        ({"east": {"transport_url": URL, "is_parent": False, "version_cap": "soon"}}, "'east'.*soon"),
        ({"x": {"transport_url": MASKED, "is_parent": False}}, "'x'.*--show-secrets"),
        ({"x": {"transport_url": URL}}, "'x' lacks is_parent"),
        (["x"], "list"),
    ],
)
def test_an_invalid_row_changes_nothing(cells: Cells, filled: Database, file: Path, rows: object, told: str) -> None:
    good = {"good": {"transport_url": URL, "is_parent": False}}
    file.write_text(json.dumps({**good, **rows} if isinstance(rows, dict) else rows))
    error = cells.fail("neighbor", "import", str(file), "--prune")
    assert re.search(told, error)
    assert "s3kr3t" not in error
    assert filled.neighbors() == [EAST, TOP]


def test_an_invalid_row_of_the_database_is_not_exported(cells: Cells, filled: Database) -> None:
    with contextlib.closing(sqlite3.connect(cells.directory / "cells.sqlite")) as connection:
        connection.execute("UPDATE cells SET weight_scale = 'heavy' WHERE name = 'top'")
        connection.commit()
    result = cells.degraded("neighbor", "export")
    assert "top" in result.err
    assert list(yaml.safe_load(result.out)) == ["east"]


def test_files_that_cannot_be_read_or_written(cells: Cells, filled: Database) -> None:
    assert "nowhere.yaml" in cells.fail("neighbor", "import", "/nonexistent/nowhere.yaml")
    assert "nowhere.yaml" in cells.fail("neighbor", "export", "/nonexistent/nowhere.yaml")

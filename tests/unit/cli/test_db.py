"""``cells db``."""

from __future__ import annotations

from cells.db import schema
from tests.unit.cli.conftest import Cells


def test_sync_and_version(cells: Cells) -> None:
    assert cells.succeed("db", "version", "-f", "json").value == {"revision": None, "needed": schema.HEAD}
    assert schema.HEAD in cells.succeed("db", "sync").out
    cells.succeed("db", "sync")
    assert cells.succeed("db", "version", "-f", "json").value == {"revision": schema.HEAD, "needed": schema.HEAD}


def test_before_the_first_sync_the_error_names_the_command(cells: Cells) -> None:
    assert "cells db sync" in cells.fail("neighbor", "list")


def test_unreachable_database(cells: Cells) -> None:
    cells.config_file.write_text("[database]\nconnection = postgresql://u:s3kr3t@127.0.0.1:1/cells\n")
    for words in (("db", "sync"), ("db", "version"), ("neighbor", "list")):
        error = cells.fail(*words)
        assert "127.0.0.1" in error
        assert "s3kr3t" not in error

"""Fixtures for several folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells.db import migration
from tests.unit.db.conftest import configuration


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to be copied: a migration takes longer than most tests."""
    directory = tmp_path_factory.mktemp("database")
    migration.sync(configuration(directory, f"sqlite:///{directory}/cells.sqlite"))
    return directory / "cells.sqlite"

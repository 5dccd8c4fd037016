"""MatchMakerSQL on SQLite, and what it makes of configurations.  tests/integration/test_matchmakers.py has the rest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.brokerless.matchmaker.sql_registry import SQLRegistry
from tests.unit.brokerless.matchmaker.suite import Contract


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the tables, made once."""
    path = tmp_path_factory.mktemp("registry") / "cells.sqlite"
    SQLRegistry(f"sqlite:///{path}")
    return path


@pytest.fixture
def registry(empty_database: Path, tmp_path: Path) -> Iterator[SQLRegistry]:
    path = shutil.copy(empty_database, tmp_path)
    registry = SQLRegistry(f"sqlite:///{path}")
    yield registry
    registry.stop_all()


class TestContract(Contract):
    pass

"""Contract suite of the database on SQLite; tests/integration/test_databases.py runs it on real servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from cells.db import migration
from cells.db.api import Database
from tests.unit.db.conftest import configuration
from tests.unit.db.suite import KnownPaths, Registry, Schema, Transitions


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with the tables; created once."""
    directory = tmp_path_factory.mktemp("database")
    migration.sync(configuration(directory, f"sqlite:///{directory}/cells.sqlite"))
    return directory / "cells.sqlite"


@pytest.fixture
def database(conf: cfg.ConfigOpts, empty_database: Path) -> Iterator[Database]:
    shutil.copy(empty_database, conf.database.connection.removeprefix("sqlite:///"))
    database = Database(conf)
    yield database
    database.close()


class TestRegistry(Registry):
    pass


class TestKnownPaths(KnownPaths):
    pass


class TestTransitions(Transitions):
    pass


class TestSchema(Schema):
    pass


def test_the_constructor_does_no_io(conf: cfg.ConfigOpts) -> None:
    path = conf.database.connection.removeprefix("sqlite:///")
    Database(conf)
    assert not Path(path).exists()

"""Fixtures for several folders, and how many examples the property tests try."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cells.db import migration
from tests import thorough
from tests.unit.db.conftest import configuration

# On a busy machine the time of one example says nothing about the code.
_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same few examples in each run.
settings.register_profile("dev", _ANY_SPEED, max_examples=10, derandomize=True)
# Many examples, and others in each run.
settings.register_profile("thorough", _ANY_SPEED, max_examples=200, print_blob=True)
settings.load_profile(thorough.PROFILE)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to be copied: a migration takes longer than most tests."""
    directory = tmp_path_factory.mktemp("database")
    migration.sync(configuration(directory, f"sqlite:///{directory}/cells.sqlite"))
    return directory / "cells.sqlite"

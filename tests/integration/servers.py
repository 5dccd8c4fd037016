"""PostgreSQL and MariaDB for the integration tests: one database with a random name per test file, removed afterwards.

The servers are those of :mod:`tools.databases`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tools import databases
from tools.databases import MYSQL_URL, POSTGRESQL_URL

__all__ = ["MYSQL_URL", "POSTGRESQL_URL", "fresh_database", "mariadb_url", "postgresql_url"]


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """URL of an empty database on the server; skips the test if the server is down."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(databases.fresh_database(server_url))
        except databases.DatabaseServerError as error:
            # With CI=true tests/conftest.py turns the skip into a failure.
            pytest.skip(str(error))
        yield url


@pytest.fixture(scope="module")
def postgresql_url() -> Iterator[str]:
    with fresh_database(POSTGRESQL_URL) as url:
        yield url


@pytest.fixture(scope="module")
def mariadb_url() -> Iterator[str]:
    with fresh_database(MYSQL_URL) as url:
        yield url

"""PostgreSQL and MariaDB for the integration tests: one database with a random name per test file, removed afterwards.

``CELLS_TEST_POSTGRESQL_URL`` and ``CELLS_TEST_MYSQL_URL`` name servers and users
with the permission to create databases; the default is the servers of this machine.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from urllib import parse

import pytest
import sqlalchemy
from sqlalchemy import exc

from cells.db.engine import read_url

POSTGRESQL_URL = os.environ.get("CELLS_TEST_POSTGRESQL_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
MYSQL_URL = os.environ.get("CELLS_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")
CONNECT_TIMEOUT_SECONDS = 5


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """URL of an empty database on the server; skips the test if the server is down."""
    name = f"cells_test_{secrets.token_hex(6)}"
    url = read_url(server_url)
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=sqlalchemy.NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except exc.OperationalError as error:
        # With CI=true tests/conftest.py turns the skip into a failure.
        pytest.skip(
            f"no database server {parse.urlsplit(server_url).hostname} ({url.get_backend_name()}): {error.orig}"
        )
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}{force}")


@pytest.fixture(scope="module")
def postgresql_url() -> Iterator[str]:
    with fresh_database(POSTGRESQL_URL) as url:
        yield url


@pytest.fixture(scope="module")
def mariadb_url() -> Iterator[str]:
    with fresh_database(MYSQL_URL) as url:
        yield url

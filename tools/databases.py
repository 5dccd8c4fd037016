"""Databases with random names on the PostgreSQL and MariaDB of this machine, removed after use.

``CELLS_TEST_POSTGRESQL_URL`` and ``CELLS_TEST_MYSQL_URL`` name other servers, and users with
the permission to create databases.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from urllib import parse

import sqlalchemy
from sqlalchemy import exc

from cells.db.engine import read_url

POSTGRESQL_URL = os.environ.get("CELLS_TEST_POSTGRESQL_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
MYSQL_URL = os.environ.get("CELLS_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")
CONNECT_TIMEOUT_SECONDS = 5


class DatabaseServerError(Exception):
    """Raised when a database server cannot be used; the text names it."""


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Yield the URL of an empty database on the server.

    :raises DatabaseServerError: the server is down or refuses the login
    """
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
        host = parse.urlsplit(server_url).hostname
        raise DatabaseServerError(f"no database server {host} ({url.get_backend_name()}): {error.orig}") from error
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}{force}")

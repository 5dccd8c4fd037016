"""Revisions of the schema: where a database is, and how to bring it to this release's.

``cells db`` calls it.

The rule for who writes a revision is *expand, then contract*, because managers of
the release before run on the database while and after it is brought forward:

* A revision only adds what the release before does not look at and need not fill in:
  tables, indexes that are not unique, columns that may be NULL or have a server default.
* What nobody needs any more is taken away by a later revision, a contract step, in the
  first release of which every older one that may still run has stopped using it.
* Renaming, or changing a type, is both: add, write to both places, and take the old one
  away a release later.

A test reads the scripts and refuses a revision that does anything else and is not
listed there as a contract step.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic import config as alembic_config
from alembic.util import CommandError
from oslo_config import cfg

from cells import exceptions
from cells.db import engine, schema

#: how long one sync waits for another one to finish
LOCK_TIMEOUT_SECONDS = 60
_LOCK_NAME = "cells db sync"
_LOCK_NUMBER = int.from_bytes(hashlib.sha256(_LOCK_NAME.encode()).digest()[:8], "big", signed=True)
#: alembic keeps what it works on in globals
_alembic_lock = threading.Lock()


def sync(conf: cfg.ConfigOpts) -> str:
    """Make or upgrade the tables; return the revision.

    May be run again, by several hosts at once, and while managers run.

    :raises cells.exceptions.DatabaseError: the database is down, or is of a newer release
    """
    config = _config()
    with _alembic_lock, _connected(conf, LOCK_TIMEOUT_SECONDS * 2) as connection, _exclusive(connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise exceptions.SchemaOutdated(
                f"The database cannot be upgraded: {error}. Was it made by a newer release? Then upgrade this host."
            ) from error
        return schema.revision(connection) or ""


def version(conf: cfg.ConfigOpts) -> str | None:
    """The revision of the database, None if ``cells db sync`` was never run on it.

    :raises cells.exceptions.DatabaseUnavailable: the database is down
    """
    with _connected(conf, engine.STATEMENT_TIMEOUT_SECONDS) as connection:
        return schema.revision(connection)


def head() -> str:
    """The revision that this release needs."""
    return schema.HEAD


@contextlib.contextmanager
def _connected(conf: cfg.ConfigOpts, statement_timeout_seconds: int) -> Iterator[sqlalchemy.Connection]:
    """A connection of its own, in a transaction that ends with the block."""
    facade = engine.facade(conf, statement_timeout_seconds)
    with engine.translated_errors(conf):
        try:
            with facade.writer.get_engine().connect() as connection:
                yield connection
                connection.commit()
        finally:
            facade.dispose_pool()


@contextlib.contextmanager
def _exclusive(connection: sqlalchemy.Connection) -> Iterator[None]:
    """Keep every other sync of this database out until the transaction ends."""
    backend = connection.dialect.name
    if backend == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        yield
    elif backend == "mysql":
        # The name is one for the whole server, and tables are made outside of any transaction.
        name = {"name": hashlib.sha256(f"{_LOCK_NAME} {connection.engine.url.database}".encode()).hexdigest()}
        seconds = {"seconds": LOCK_TIMEOUT_SECONDS}
        if connection.execute(sqlalchemy.text("SELECT GET_LOCK(:name, :seconds)"), {**name, **seconds}).scalar() != 1:
            raise exceptions.DatabaseUnavailable("Another 'cells db sync' does not finish: try again when it has.")
        try:
            yield
            connection.commit()
        finally:
            connection.execute(sqlalchemy.text("SELECT RELEASE_LOCK(:name)"), name)
    else:
        engine.lock_if_sqlite(connection)
        yield


def _config() -> alembic_config.Config:
    config = alembic_config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

"""Revisions of the schema: read the revision of a database, and upgrade it to the revision of this release.

``cells db`` calls this module.

The rule for new revisions is *expand, then contract*, because managers of the previous
release use the database during and after the upgrade:

* A revision only adds parts that the previous release neither reads nor must fill in:
  tables, indexes that are not unique, columns that allow NULL or have a server default.
* A later revision, a contract step, drops an unused part.  Its release is the first for which
  no older release that may still run uses the part.
* To rename a part or to change its type, do both: add the new part, write to both, and drop the
  old part one release later.

A test reads the scripts and rejects any other revision, unless its list of contract steps
contains the revision.
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
from cells.db import engine, schema, time_limit

#: timeout of a sync that waits for another sync to finish
LOCK_TIMEOUT_SECONDS = 60
_LOCK_NAME = "cells db sync"
_LOCK_NUMBER = int.from_bytes(hashlib.sha256(_LOCK_NAME.encode()).digest()[:8], "big", signed=True)
#: alembic keeps its state in globals
_alembic_lock = threading.Lock()


def sync(conf: cfg.ConfigOpts) -> str:
    """Create or upgrade the tables; return the revision.

    May run repeatedly, on several hosts at once, and while managers run.

    :raises cells.exceptions.DatabaseError: the database is down, or a newer release has created it
    """
    config = _config()
    with _alembic_lock, _connected(conf, LOCK_TIMEOUT_SECONDS * 2) as connection, _exclusive(connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise exceptions.SchemaOutdated(
                f"The database cannot be upgraded: {error}. If a newer release has created it, upgrade this host."
            ) from error
        return schema.revision(connection) or ""


def version(conf: cfg.ConfigOpts) -> str | None:
    """Return the revision of the database; None if ``cells db sync`` was never run on it.

    :raises cells.exceptions.DatabaseUnavailable: the database is down
    """
    with _connected(conf, engine.STATEMENT_TIMEOUT_SECONDS) as connection:
        return schema.revision(connection)


@contextlib.contextmanager
def _connected(conf: cfg.ConfigOpts, statement_timeout_seconds: int) -> Iterator[sqlalchemy.Connection]:
    """Open a separate connection, in a transaction that is committed at the end of the block."""
    facade = engine.facade(conf, statement_timeout_seconds)
    with engine.translated_errors(conf), time_limit.limited(statement_timeout_seconds):
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
        # No wait for a session that locks the tables: the statements of managers would queue up behind this one.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{engine.STATEMENT_TIMEOUT_SECONDS}s'")
        yield
    elif backend == "mysql":
        # A lock name is valid for the whole server, and MariaDB creates tables outside of any transaction.
        name = {"name": hashlib.sha256(f"{_LOCK_NAME} {connection.engine.url.database}".encode()).hexdigest()}
        seconds = {"seconds": LOCK_TIMEOUT_SECONDS}
        if connection.execute(sqlalchemy.text("SELECT GET_LOCK(:name, :seconds)"), {**name, **seconds}).scalar() != 1:
            raise exceptions.DatabaseUnavailable(
                f"Another 'cells db sync' has run for over {LOCK_TIMEOUT_SECONDS} s: try again when it has finished."
            )
        try:
            connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {engine.STATEMENT_TIMEOUT_SECONDS}")
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

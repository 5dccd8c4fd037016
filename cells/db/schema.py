"""Whether the tables will do: asked by every process, without loading alembic for it."""

from __future__ import annotations

import logging

import sqlalchemy

from cells import exceptions

LOG = logging.getLogger(__name__)

#: All revisions that this release knows, oldest first; the last is the one it needs.
#: A test holds them against the migrations.
REVISIONS = ("0001", "0002", "0003")
HEAD = REVISIONS[-1]

#: Where alembic keeps the revision.
VERSION_TABLE = "alembic_version"


def revision(connection: sqlalchemy.Connection) -> str | None:
    """The revision of the database, None if no tables were ever made."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(sqlalchemy.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # a constant
    return found.scalar()


def check(connection: sqlalchemy.Connection) -> None:
    """See that the tables are at least those that this release needs.

    A newer schema will do, because of the rule in :mod:`cells.db.migration`: the
    managers of a host that is upgraded last go on working.

    :raises cells.exceptions.SchemaOutdated: they are older, or not there at all
    """
    current = revision(connection)
    if current == HEAD:
        return
    if current is None:
        raise exceptions.SchemaOutdated('The database holds no tables of this service yet: run "cells db sync".')
    if current in REVISIONS:
        raise exceptions.SchemaOutdated(
            f'The database is at revision {current} and this release needs {HEAD}: run "cells db sync".'
        )
    LOG.warning("The database is at revision %s, which a newer release made; this one knows %s", current, HEAD)

"""Check of the schema: every process runs it at start, without loading alembic."""

from __future__ import annotations

import logging

import sqlalchemy

from cells import exceptions

LOG = logging.getLogger(__name__)

#: All revisions that this release knows, oldest first; this release needs the last one.
#: A test compares the list with the migrations.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
HEAD = REVISIONS[-1]

#: Table in which alembic stores the revision.
VERSION_TABLE = "alembic_version"


def revision(connection: sqlalchemy.Connection) -> str | None:
    """Return the revision of the database; None if it has no tables yet."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(sqlalchemy.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # a constant
    return found.scalar()


def check(connection: sqlalchemy.Connection) -> None:
    """Check that the tables have at least the revision that this release needs.

    A newer revision is accepted, thanks to the rule in :mod:`cells.db.migration`: the
    managers of the host that is upgraded last continue to work.

    :raises cells.exceptions.SchemaOutdated: the tables are older or missing
    """
    for warning in warnings_about(revision(connection)):
        LOG.warning(warning)


def warnings_about(current: str | None) -> list[str]:
    """Return the warnings about tables of the revision ``current``; empty for the revision of this release.

    :raises cells.exceptions.SchemaOutdated: the tables are older or missing
    """
    if current == HEAD:
        return []
    if current is None:
        raise exceptions.SchemaOutdated('The database holds no tables of cells yet: run "cells db sync".')
    if current in REVISIONS:
        raise exceptions.SchemaOutdated(
            f'The database is at revision {current} and this release needs {HEAD}: run "cells db sync".'
        )
    return [
        f"The database is at revision {current}, which a newer release created; this release knows {HEAD}. "
        "This release works with it until a later release removes a column that this release needs."
    ]

"""``cells db``: the tables of this cell's database."""

from __future__ import annotations

import argparse

from cliff import show

from cells.cli import base


class Sync(base.CellCommand):
    """Make or upgrade the tables of the database.

    May be run again, on several hosts at once, and while managers run.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:  # noqa: ARG002  # cliff's signature
        """Called by cliff."""
        from cells.db import migration  # noqa: PLC0415  # SQLAlchemy takes long to load

        revision = migration.sync(self.conf)
        self.app.stdout.write(f"The database is at revision {revision}.\n")


class Version(base.CellCommand, show.ShowOne):
    """Show the revision of the tables (none before the first sync), and the one that this release needs."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:  # noqa: ARG002  # cliff's signature
        """Called by cliff."""
        from cells.db import migration  # noqa: PLC0415  # SQLAlchemy takes long to load

        revision, needed = migration.version(self.conf), migration.head()
        return ("revision", "needed"), (revision, needed)

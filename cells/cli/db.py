"""``cells db``: the tables of this cell's database."""

from __future__ import annotations

import argparse

from cliff import show

from cells.cli import base


class Sync(base.CellCommand):
    """Create or upgrade the tables of the database.

    The command may run again, on several hosts at the same time, and while managers run.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:  # noqa: ARG002  # cliff's signature
        """Upgrade and print the revision; called by cliff."""
        from cells.db import migration  # noqa: PLC0415  # SQLAlchemy is slow to import

        self.say(f"The database is at revision {migration.sync(self.conf)}.")


class Version(base.CellCommand, show.ShowOne):
    """Show the revision of the tables (none before the first sync), and the revision that this release needs."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:  # noqa: ARG002  # cliff's signature
        """Return both revisions; called by cliff."""
        from cells.db import migration, schema  # noqa: PLC0415  # SQLAlchemy is slow to import

        return ("revision", "needed"), (migration.version(self.conf), schema.HEAD)

"""``cells status``: how the manager of this cell is."""

from __future__ import annotations

import argparse

from cliff import show

from cells import context
from cells.cli import base


class Status(base.CellCommand, show.ShowOne):
    """Show one manager of this cell: where it runs, its version, what waits in it, and its counters."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:  # noqa: ARG002  # cliff's signature
        """Called by cliff."""
        with self.manager() as manager:
            status = manager.status(context.get_admin_context())
        return tuple(status), tuple(_Counters(value) if isinstance(value, dict) else value for value in status.values())


class _Counters(base.JSONColumn):
    """Counts by name, one on a line where people read it."""

    def human_readable(self) -> str:
        """Called by cliff for tables and the like."""
        return "\n".join(f"{name} {base.readable(count)}" for name, count in sorted(self._value.items()))

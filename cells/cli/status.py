"""``cells status``: the state and the counters of a manager of this cell."""

from __future__ import annotations

import argparse

from cliff import show

from cells import context, printable
from cells.cli import base


class Status(base.CellCommand, show.ShowOne):
    """Show one manager of this cell: its host, its version, its queue lengths and its counters."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser, base.FIRST_LOOK_SECONDS)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Return the status of the manager; called by cliff."""
        with self.manager(parsed_args.timeout) as manager:
            status = manager.status(context.get_admin_context())
        self.check_answers(status.get("name"))
        return tuple(status), tuple(_Counters(value) if isinstance(value, dict) else value for value in status.values())


class _Counters(base.JSONColumn):
    """Column of counts by name, with one count per line in a table."""

    def human_readable(self) -> str:
        """Return the text for a table; called by cliff."""
        return "\n".join(
            f"{printable.line(name)} {base.readable(count)}" for name, count in sorted(self._value.items())
        )

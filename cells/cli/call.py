"""``cells call`` and ``cells cast``: run an endpoint method of another cell, with or without an answer."""

from __future__ import annotations

import argparse
from typing import Any

from cells import context
from cells.cli import arguments, base, value


class Call(value.ValueCommand):
    """Call a method of another cell and print its result.

    "-f json" and "-f yaml" print the value itself; a table has a line for each
    key of an object or item of a list.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_cell(parser)
        arguments.add_method(parser)
        base.add_timeout(parser)

    def value(self, parsed_args: argparse.Namespace) -> Any:
        with self.manager() as manager:
            return manager.call(
                context.get_admin_context(),
                parsed_args.cell,
                parsed_args.method,
                parsed_args.arguments,
                timeout=parsed_args.timeout,
            )


class Cast(base.CellCommand):
    """Run a method of another cell without waiting for an answer.

    The exit status is 0 if the manager of this cell knows a route to that cell.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_cell(parser)
        arguments.add_method(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Locate the cell, then cast; called by cliff."""
        ctxt = context.get_admin_context()
        with self.manager() as manager:
            # A cast reports no error if the cell is unknown or no manager runs.
            manager.locate(ctxt, parsed_args.cell)
            manager.cast(ctxt, parsed_args.cell, parsed_args.method, parsed_args.arguments)

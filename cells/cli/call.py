"""``cells call`` and ``cells cast``: run a method of another cell, with and without an answer."""

from __future__ import annotations

import argparse
import json
from typing import Any

from cliff import show

from cells import context
from cells.cli import arguments, base


class Call(base.CellCommand, show.ShowOne):
    """Call a method of another cell and print what it returns.

    "-f json" and "-f yaml" print the value itself; a table has a line for each
    key of an object or item of a list.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, METHOD and its arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_cell(parser)
        arguments.add_arguments(parser)
        base.add_timeout(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the value itself where the format can, and leave the rest to cliff."""
        if parsed_args.formatter == "json":
            indent = None if parsed_args.noindent else 2
            json.dump(self._value(parsed_args), self.app.stdout, indent=indent, ensure_ascii=False)
            self.app.stdout.write("\n")
        elif parsed_args.formatter == "yaml":
            # cliff's own formatter knows only records.
            import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  # its types are a package of their own

            yaml.safe_dump(self._value(parsed_args), self.app.stdout, allow_unicode=True, sort_keys=False)
        else:
            return super().run(parsed_args)
        return self.exit_status

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Called by cliff for the formats that show a record."""
        value = self._value(parsed_args)
        if isinstance(value, dict):
            items = {str(key): item for key, item in value.items()}
        elif isinstance(value, list):
            items = {str(index): item for index, item in enumerate(value)}
        else:
            items = {"value": value}
        return tuple(items), tuple(base.readable(item) for item in items.values())

    def _value(self, parsed_args: argparse.Namespace) -> Any:
        with self.manager() as manager:
            return manager.call(
                context.get_admin_context(),
                parsed_args.cell,
                parsed_args.method,
                parsed_args.arguments,
                timeout=parsed_args.timeout,
            )


class Cast(base.CellCommand):
    """Run a method of another cell without waiting for it.

    The status is 0 if the manager of this cell knows a way to that cell.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, METHOD and its arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_cell(parser)
        arguments.add_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        ctxt = context.get_admin_context()
        with self.manager() as manager:
            # A cast alone would be silent if nobody is there to take it.
            manager.locate(ctxt, parsed_args.cell)
            manager.cast(ctxt, parsed_args.cell, parsed_args.method, parsed_args.arguments)


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cell", metavar="CELL", help="a name, if it is unique, or a path from the top: api!east!az1")

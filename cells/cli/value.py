"""Base of the commands that show a value of any kind: what a method of another cell has returned."""

from __future__ import annotations

import abc
import argparse
import json
from typing import Any

from cliff import show

from cells.cli import base


class ValueCommand(base.CellCommand, show.ShowOne):
    """A command whose result can be anything that JSON has."""

    @abc.abstractmethod
    def value(self, parsed_args: argparse.Namespace) -> Any:
        """Get the value; called once."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the value itself where the format can, and leave the rest to cliff."""
        if parsed_args.formatter == "json":
            indent = None if parsed_args.noindent else 2
            json.dump(self.value(parsed_args), self.app.stdout, indent=indent, ensure_ascii=False)
            self.app.stdout.write("\n")
        elif parsed_args.formatter == "yaml":
            # cliff's own formatter knows only records.
            import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  # its types are a package of their own

            yaml.safe_dump(self.value(parsed_args), self.app.stdout, allow_unicode=True, sort_keys=False)
        else:
            return super().run(parsed_args)
        return self.exit_status

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Called by cliff for the formats that show a record."""
        value = self.value(parsed_args)
        if isinstance(value, dict):
            items = {str(key): item for key, item in value.items()}
        elif isinstance(value, list):
            items = {str(index): item for index, item in enumerate(value)}
        else:
            items = {"value": value}
        return tuple(items), tuple(base.readable(item) for item in items.values())

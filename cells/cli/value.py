"""Base of the commands that show the result of a remote method, which can be any JSON value."""

from __future__ import annotations

import abc
import argparse
from typing import Any

from cliff import show

from cells.cli import base


class ValueCommand(base.CellCommand, show.ShowOne):
    """Command whose result can be any JSON value."""

    @abc.abstractmethod
    def value(self, parsed_args: argparse.Namespace) -> Any:
        """Return the value; called once."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the value itself as JSON or YAML; cliff prints the other formats."""
        if parsed_args.formatter == "json":
            return self.write_json(self.value(parsed_args), parsed_args)
        if parsed_args.formatter == "yaml":
            # The YAML formatter of cliff accepts only records.
            import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  # its types are in another package

            yaml.safe_dump(self.value(parsed_args), self.app.stdout, allow_unicode=True, sort_keys=False)
            return self.exit_status
        return super().run(parsed_args)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Return the value as a record, for tables; called by cliff."""
        value = self.value(parsed_args)
        if isinstance(value, dict):
            items = {str(key): item for key, item in value.items()}
        elif isinstance(value, list):
            items = {str(index): item for index, item in enumerate(value)}
        else:
            items = {"value": value}
        return tuple(items), tuple(base.readable(item) for item in items.values())

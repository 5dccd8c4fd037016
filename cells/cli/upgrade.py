"""``cells upgrade``: the version of the inter-cell API on each link, and the reason for it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from cliff import lister

from cells import context
from cells.cli import base


class Matrix(base.CellCommand, lister.Lister):
    """Show the version on each link of this cell and of all cells below it, and the caps that can be raised.

    The output has a line for each cell and neighbor, because each cell caps the messages that it sends. "reads" is the
    highest version that the cell reads, "announced" the highest version that the neighbor announced, and "spoken" the
    version that the cell sends now: the lowest of "announced", "global_cap" ([upgrade_levels] intercell) and
    "neighbor_cap" (cells neighbor set --version-cap). "can_be_raised" is "yes" if the neighbor reads more than the caps
    allow; "reason" names the limit that keeps the link below the newest version.

    A cell of a release without this command has one line, with the version that it announced to its parent. If a cell
    does not answer, the exit status is 1; the other cells are still shown.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Return a row for each cell and neighbor; called by cliff."""
        # It imports oslo.messaging, which is slow.
        from cells.rpcapi import version_matrix  # noqa: PLC0415

        with self.manager() as manager:
            matrix = version_matrix.ask(manager, context.get_admin_context(), parsed_args.timeout)
        for problem in matrix.problems:
            self.fail(problem)
        rows = matrix.rows
        if parsed_args.formatter == "table":
            rows = [{column: _readable(value) for column, value in row.items()} for row in rows]
        missing = "" if parsed_args.formatter == "table" else None
        columns = version_matrix.COLUMNS
        return columns, [tuple(row.get(column, missing) for column in columns) for row in rows]


def _readable(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value

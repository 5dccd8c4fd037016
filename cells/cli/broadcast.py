"""``cells broadcast``: run a method in all cells above or below this one."""

from __future__ import annotations

import argparse
from typing import Any

from cliff import lister

from cells import context
from cells.cli import arguments, base


class Broadcast(base.CellCommand, lister.Lister):
    """Call a method of this cell and of all cells below it, or above it.

    The output has one line for each cell. If a cell fails or does not answer, the exit status is 1;
    the answers of the other cells are still printed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_method(parser)
        parser.add_argument(
            "--direction",
            choices=("down", "up"),
            default="down",
            help="toward the leaves of the tree (default), or toward its root",
        )
        parser.add_argument("--no-answer", action="store_true", help="cast: do not wait for answers, print nothing")
        base.add_timeout(parser)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Cast if --no-answer is given; otherwise call and print the answers."""
        if not parsed_args.no_answer:
            return super().run(parsed_args)
        with self.manager() as manager:
            manager.broadcast_cast(
                context.get_admin_context(), parsed_args.method, parsed_args.arguments, direction=parsed_args.direction
            )
        return self.exit_status

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return a row for each cell; called by cliff."""
        with self.manager() as manager:
            answers = manager.broadcast_call(
                context.get_admin_context(),
                parsed_args.method,
                parsed_args.arguments,
                direction=parsed_args.direction,
                timeout=parsed_args.timeout,
            )
        rows = []
        for answer in sorted(answers, key=lambda answer: answer.cell):
            error = None if answer.error is None else base.describe(answer.error)
            if error is not None:
                self.fail(f"{answer.cell} failed: {error}")
            rows.append((answer.cell, base.JSONColumn(answer.value), base.JSONColumn(error)))
        return ("cell", "value", "error"), rows

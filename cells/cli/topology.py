"""``cells topology``: the tree of cells as this cell's manager knows it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from cliff import lister

from cells import context
from cells.cli import base, tree


class Topology(base.HumanOutput, lister.Lister):
    """Draw the tree of cells; * is this cell, and a state is shown where it is not "up".

    A child of this cell that is "silent" did not answer now; one that is "mute" has not been heard from for
    [cells] mute_child_interval either.

    "-f json" prints the tree as nested objects, other formats a line for each cell.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """How long to wait."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        base.add_timeout(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the tree itself as JSON, and leave other formats to the base class."""
        if parsed_args.formatter != "json":
            return super().run(parsed_args)
        indent = None if parsed_args.noindent else 2
        json.dump(self._topology(parsed_args), self.app.stdout, indent=indent, ensure_ascii=False)
        self.app.stdout.write("\n")
        return self.exit_status

    def show(self, parsed_args: argparse.Namespace) -> None:
        """Draw it."""
        strokes = tree.strokes_for(getattr(self.app.stdout, "encoding", None))
        for line in tree.draw(self._topology(parsed_args), strokes):
            print(line, file=self.app.stdout)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Called by cliff for tables, CSV and the like."""
        cells = tree.walk(self._topology(parsed_args))
        return ("path", "state", "is_self"), [
            (cell.get("path"), cell.get("state"), bool(cell.get("is_self"))) for cell in cells
        ]

    def _topology(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        ctxt = context.get_admin_context()
        with self.manager() as manager:
            root = manager.topology(ctxt, timeout=parsed_args.timeout)
            mute = {neighbor["name"] for neighbor in manager.neighbors(ctxt) if neighbor["state"] == "mute"}
        return tree.with_mute_children(root, mute)

"""``cells topology``: the tree of cells that the manager of this cell knows."""

from __future__ import annotations

import argparse
from typing import Any

from cliff import lister

from cells import context
from cells.cli import base, tree, tree_dot, tree_svg

#: format -> function that returns the lines of a picture
_PICTURES = {"dot": tree_dot.draw, "svg": tree_svg.draw}


class Topology(base.TextOutput, lister.Lister):
    """Draw the tree of cells; * marks this cell, and each state other than "up" is shown.

    The state "silent" means that the cell did not answer within three quarters of --timeout. A child of this cell
    is "mute" if, in addition, it sent no message for [cells] mute_child_interval seconds.

    If a cell is not "up", the exit status is 1.

    "-f json" prints the tree as nested objects, "-f svg" a picture, and "-f dot" a text for Graphviz; other formats
    print a line for each cell.
    """

    own_formats = (base.TEXT_FORMAT, *_PICTURES)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser, base.FIRST_LOOK_SECONDS)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print nested objects for JSON; the base class prints the other formats."""
        if parsed_args.formatter != "json":
            return super().run(parsed_args)
        return self.write_json(self._topology(parsed_args), parsed_args)

    def print_text(self, parsed_args: argparse.Namespace) -> None:
        """Draw the tree, as text or as a picture."""
        root = self._topology(parsed_args)
        draw = _PICTURES.get(parsed_args.formatter)
        for line in tree.draw(root, tree.strokes_for(self.app.stdout)) if draw is None else draw(root):
            self.say(line)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return a row for each cell, for tables and CSV; called by cliff."""
        cells = tree.walk(self._topology(parsed_args))
        return ("path", "state", "is_self"), [
            (cell.get("path"), cell.get("state"), bool(cell.get("is_self"))) for cell in cells
        ]

    def _topology(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        with self.manager(parsed_args.timeout) as manager:
            root = manager.topology(context.get_admin_context(), timeout=parsed_args.timeout)
        cells = list(tree.walk(root))
        self.check_answers(next((cell["name"] for cell in cells if cell.get("is_self")), None))
        if any(cell.get("state") != "up" for cell in cells):
            self.exit_status = base.STATUS_DEGRADED
        return root

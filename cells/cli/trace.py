"""``cells trace``: what happens to a call on its way to another cell and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from cliff import lister

from cells import context
from cells.cli import arguments, base


class Trace(base.CellCommand, lister.Lister):
    """Ping another cell, and show which cell did what on the way there and back.

    "seconds" is the time since the first event, by the clock of the cell that noted the event. Clocks of different
    cells differ: compare the times of one cell with each other, and those of two cells only as far as their clocks are
    kept together. A number below 0 is of a cell whose clock is behind that of this one.

    Every link on the way, there and back, has to speak version 1.1 of the inter-cell API: see "cells upgrade matrix" at
    the top of the tree, because a link is capped in the cell that sends on it. If there is no answer but an error, the
    events up to there are shown, the error is told on stderr, and the status is 1. If no answer comes in time, no
    events are shown: give a --timeout longer than the send_timeout of the cells on the way, so that one that cannot
    pass the ping on answers with an error first, or ping the cells on the way one by one.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, and how long to wait."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        arguments.add_cell(parser)
        base.add_timeout(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Called by cliff."""
        with self.manager() as manager:
            found = manager.trace(context.get_admin_context(), parsed_args.cell, timeout=parsed_args.timeout)
        events: Sequence[Mapping[str, Any]] = [event for event in found["events"] if isinstance(event, dict)]
        started_at = events[0].get("at") if events else None
        if found["error"] is not None:
            self.fail(f"{parsed_args.cell} did not answer: {found['error']}")
        elif not events:
            self.fail(
                f"{parsed_args.cell} answered, but no trace came back: a link on the way back speaks a version below "
                '1.1 of the inter-cell API; "cells upgrade matrix" at the top of the tree shows which.'
            )
        return ("cell", "event", "seconds"), [
            (event.get("cell"), event.get("event"), _seconds_between(started_at, event.get("at"))) for event in events
        ]


def _seconds_between(started_at: object, at: object) -> float | None:
    """None if a cell has written something else than a time."""
    if isinstance(started_at, (int, float)) and isinstance(at, (int, float)):
        return round(at - started_at, 6)
    return None

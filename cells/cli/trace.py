"""``cells trace``: the events of a call on its route to another cell and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from cliff import lister

from cells import context
from cells.cli import arguments, base, route
from cells.path import CellPath


class Trace(base.CellCommand, lister.Lister):
    """Ping another cell, and show the events of the ping in each cell on the route there and back.

    "seconds" is the time since the first event, by the clock of the cell that recorded the event. Clocks of different
    cells differ: compare times of one cell with each other, and times of two cells only if their clocks are
    synchronized. A negative number means that the clock of that cell is behind the clock of this cell.

    Every link on the route, in both directions, must speak version 1.1 of the inter-cell API. "cells upgrade matrix" at
    the top of the tree shows the versions, because the sending cell caps each link.

    If the answer is an error, the output has the events until the error, stderr has the error, and the exit status is
    1. If no answer arrives in time, the output has no events. Then give a --timeout longer than the send_timeout of the
    cells on the route, so that a cell that cannot forward the ping answers with an error first; or ping the cells on
    the route one by one.

    With --explain, the command sends nothing to other cells. It shows each hop of the route that this cell would use,
    with the link to its neighbor, and in "note" the reason if the route or the link is broken, or not known here; the
    exit status is then 1.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_cell(parser)
        parser.add_argument("--explain", action="store_true", help="show the route, and send nothing")
        base.add_timeout(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return a row for each event, or for each hop; called by cliff."""
        if parsed_args.explain:
            return self._explain(parsed_args)
        with self.manager() as manager:
            found = manager.trace(context.get_admin_context(), parsed_args.cell, timeout=parsed_args.timeout)
        events: Sequence[Mapping[str, Any]] = [event for event in found["events"] if isinstance(event, dict)]
        started_at = events[0].get("at") if events else None
        if found["error"] is not None:
            self.fail(f"{parsed_args.cell} did not answer: {found['error']}")
        elif not events:
            self.fail(
                f"{parsed_args.cell} answered without a trace: a link on the route back speaks a version of the "
                'inter-cell API below 1.1; "cells upgrade matrix" at the top of the tree shows which link.'
            )
        return ("cell", "event", "seconds"), [
            (event.get("cell"), event.get("event"), _seconds_between(started_at, event.get("at"))) for event in events
        ]

    def _explain(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        ctxt = context.get_admin_context()
        with self.manager(parsed_args.timeout) as manager:
            name = manager.status(ctxt)["name"]
            self.check_answers(name)
            walk = CellPath.parse(manager.locate(ctxt, parsed_args.cell))
            here = route.Here(
                # The manager answers both by itself.
                description=manager.call(ctxt, name, "ping", timeout=parsed_args.timeout),
                links=manager.call(ctxt, name, "links", timeout=parsed_args.timeout)["links"],
                neighbors=manager.neighbors(ctxt),
            )
        hops = route.explain(walk, here)
        for hop in hops:
            if hop.is_problem:
                self.fail(hop.note)
        missing = "" if parsed_args.formatter == "table" else None
        return route.COLUMNS, [tuple(missing if value is None else value for value in hop.row) for hop in hops]


def _seconds_between(started_at: object, at: object) -> float | None:
    """Return the time between two events, None if a cell reported no number."""
    if isinstance(started_at, (int, float)) and isinstance(at, (int, float)):
        return round(at - started_at, 6)
    return None

"""``cells neighbor history``: the last changes of the state of links, from this cell's database."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from cliff import lister

from cells import exceptions
from cells.cli import base
from cells.neighbors.transitions import Transition

_COLUMNS = ("neighbor", "state", "since", "until", "seconds", "seen_by", "why")
_DEFAULT_LIMIT = 50


class History(base.CellCommand, lister.Lister):
    """Show the last changes of the state of the neighbors, the newest last.

    Each manager of this cell ("seen_by") stores a change and its reason within a second. A state lasts "until" the next
    one that the same manager has stored. The states are those of "cells neighbor status", and "removed". The database
    keeps the last 1000 changes of each neighbor. The command needs no manager.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", nargs="?", help="name of a neighbor (default: all neighbors)")
        parser.add_argument(
            "--limit",
            type=base.positive_count,
            default=_DEFAULT_LIMIT,
            metavar="N",
            help=f"number of changes to show (default: {_DEFAULT_LIMIT})",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Return a row for each change; called by cliff."""
        file = self.conf.cells.cells_config
        if file:
            raise exceptions.ConfigurationError(
                f"No history is kept, because the neighbors of this cell are in {file} ([cells] cells_config): the "
                "history is in the database."
            )
        name = parsed_args.name
        with self.database() as database:
            found = database.transitions(name, parsed_args.limit)
            if name is not None and not found:
                database.get(name)
        missing = "" if parsed_args.formatter == "table" else None
        return _COLUMNS, [tuple(missing if value is None else value for value in row) for row in _rows(found)]


def _rows(transitions: Sequence[Transition]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    ends: dict[tuple[str, str], float] = {}
    for one in reversed(transitions):
        until = ends.get((one.neighbor, one.manager))
        ends[one.neighbor, one.manager] = one.since
        seconds = None if until is None else round(max(0.0, until - one.since), 1)
        rows.append((one.neighbor, one.state, _time(one.since), _time(until), seconds, one.manager, one.why))
    return rows[::-1]


def _time(seconds: float | None) -> str | None:
    """Return the time in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")

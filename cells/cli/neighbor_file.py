"""``cells neighbor export`` and ``import``: all neighbors of this cell as one file."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cliff import lister

from cells import exceptions, private_files
from cells.cli import base, neighbor, neighbor_arguments
from cells.neighbors import row_changes, row_checks, rows_file
from cells.neighbors.direct_columns import read_certificates
from cells.neighbors.neighbor import COLUMNS, Neighbor
from cells.neighbors.row_changes import RowChange, RowChanges
from cells.transport import url as transport_url

#: FILE that stands for stdin or stdout
STANDARD = "-"
_CREATED, _CHANGED, _REMOVED = "created", "changed", "removed"
_MARKS = {_CREATED: "+", _CHANGED: "~", _REMOVED: "-"}


class Export(neighbor.NeighborCommand):
    """Write all neighbors to a file in YAML, or to stdout.

    "cells neighbor import" reads the file, and so does [cells] cells_config, if it has its passwords. Only this user
    can read the file. The exit status is 1 if a row in the database is invalid, and is left out.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", default=STANDARD, help="file to write (default: stdout)")
        neighbor_arguments.add_show_secrets(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write the file; called by cliff."""
        rows = self._rows()
        secrets = "It contains passwords"
        if not parsed_args.show_secrets:
            secrets = f"Each password is {transport_url.MASK}: import keeps the registered one"
            rows = [dataclasses.replace(row, transport_url=transport_url.mask(row.transport_url)) for row in rows]
        text = f"# Neighbors of the cell {self.conf.cells.name}. {secrets}.\n{rows_file.write(rows)}"
        if parsed_args.file == STANDARD:
            self.app.stdout.write(text)
            return
        path = Path(parsed_args.file)
        with private_files.writing(path):
            private_files.write(path, text, mode=0o600)

    def _rows(self) -> list[Neighbor]:
        if self.conf.cells.cells_config:
            return self.neighbors()
        with self.database() as database:
            rows, problems = database.examine()
        for problem in problems:
            self.fail(f"An invalid row is left out: {problem.message}")
        return rows


class Import(base.TextOutput, neighbor.NeighborCommand, lister.Lister):
    """Create and change neighbors as a file describes them, and show each change.

    The file is YAML or JSON, an object from name to row, as "cells neighbor export" writes it. A column that a row does
    not have gets its default. A masked password keeps the registered one, if the URL is the same otherwise.

    All changes are made in one transaction. If a row is invalid, nothing is changed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help=f"file to read; '{STANDARD}': stdin")
        parser.add_argument("--dry-run", action="store_true", help="show the changes, and change nothing")
        parser.add_argument("--prune", action="store_true", help="delete the neighbors that the file does not contain")

    def print_text(self, parsed_args: argparse.Namespace) -> None:
        """Show the changes as a text: + created, ~ changed, - removed."""
        changes = self._merge(parsed_args)
        for name, change, columns in _lines_of(changes):
            self.say(f"{_MARKS[change]} {name}")
            for column, before, after in columns:
                self.say(
                    f"    {column}: {_shown(after) if change == _CREATED else f'{_shown(before)} -> {_shown(after)}'}"
                )
        counts = [(len(changes.created), _CREATED), (len(changes.changed), _CHANGED), (len(changes.removed), _REMOVED)]
        summary = [*(f"{count} {verb}" for count, verb in counts), f"{len(changes.unchanged)} unchanged"]
        if changes.kept:
            summary.append(f"{len(changes.kept)} not in the file (--prune deletes them)")
        self.say(f"{'Dry run, nothing is written: ' if parsed_args.dry_run else ''}{', '.join(summary)}.")

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Return a row for each changed column, and for each removed neighbor; called by cliff."""
        nothing: tuple[Any, Any, Any] = (None, None, None)
        found = [
            (name, change, *column)
            for name, change, columns in _lines_of(self._merge(parsed_args))
            for column in columns or [nothing]
        ]
        return ("neighbor", "change", "column", "before", "after"), found

    def _merge(self, parsed_args: argparse.Namespace) -> RowChanges:
        self.check_is_in_database()
        rows = rows_file.read(*_read(parsed_args.file))
        self._check(rows)
        with self.database() as database:
            changes = database.merge(
                functools.partial(row_changes.compare, wanted=rows, prune=parsed_args.prune),
                is_dry_run=parsed_args.dry_run,
            )
        for row in changes.created:
            self.remark_on(row, is_url_new=True)
        for change in changes.changed:
            self.remark_on(change.row, is_url_new="transport_url" in change.columns)
        return changes

    def _check(self, rows: Sequence[Neighbor]) -> None:
        """Check what "cells neighbor create" checks.

        :raises cells.exceptions.InvalidNeighbor: a row is invalid; the error names each one
        """
        problems = []
        for row in rows:
            try:
                self.check_is_another_cell(row.name)
                row_checks.check_drivers(row.driver, row.also_accept)
                row_checks.check_transport(row.driver, row.transport_url)
                self.check_certificates(row.name, {"certificates": row.certificates})
                row_checks.check_version_cap(row.version_cap)
            except exceptions.InvalidNeighbor as error:
                own = error.message.startswith(f"Neighbor {row.name!r}")
                problems.append(error.message if own else f"Neighbor {row.name!r}: {error.message}")
        if problems:
            raise exceptions.InvalidNeighbor(" ".join(problems))


def _read(file: str) -> tuple[str, str]:
    """Return the text of the file, and its name for errors."""
    if file == STANDARD:
        return sys.stdin.read(), "the standard input"
    try:
        return Path(file).read_text(encoding="utf-8"), file
    except (OSError, ValueError) as error:
        raise exceptions.ConfigurationError(f"The neighbors cannot be read from {file}: {error}") from None


def _lines_of(changes: RowChanges) -> Iterator[tuple[str, str, list[tuple[str, Any, Any]]]]:
    """Yield each changed neighbor, its kind of change, and its columns as (name, value before, value after)."""
    found: dict[str, tuple[str, list[tuple[str, Any, Any]]]] = {}
    for row in changes.created:
        default = Neighbor(row.name, row.transport_url, row.is_parent)
        given = [column for column in COLUMNS[1:] if getattr(row, column) != getattr(default, column)]
        columns = dict.fromkeys(["is_parent", "driver", *(["transport_url"] if row.transport_url else []), *given])
        found[row.name] = _CREATED, [(column, None, _value(column, getattr(row, column))) for column in columns]
    for change in changes.changed:
        found[change.row.name] = _CHANGED, [_of_column(change, column) for column in change.columns]
    for before in changes.removed:
        found[before["name"]] = _REMOVED, []
    for name, (verb, lines) in sorted(found.items()):
        yield name, verb, lines


def _of_column(change: RowChange, column: str) -> tuple[str, Any, Any]:
    before, after = (_value(column, value) for value in (change.before[column], getattr(change.row, column)))
    return column, before, f"{after} (another password)" if before == after else after


def _value(column: str, value: Any) -> Any:
    """Return a value as it may be shown: without passwords, and certificates by their fingerprints."""
    if column == "transport_url":
        return transport_url.mask(str(value))
    if column == "certificates" and value is not None:
        try:
            return [one.fingerprint for one in read_certificates(value)]
        except exceptions.InvalidNeighbor:
            return "unreadable"
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "none" if value is None else base.readable(value) or "''"

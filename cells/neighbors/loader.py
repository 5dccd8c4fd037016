"""Where the neighbors come from: the database, or a JSON file.

The manager's periodic task calls :class:`NeighborLoader`; what it finds is put
into the table at once, without a restart.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cells import exceptions, versions
from cells.counters import Counters
from cells.neighbors import Changes, NeighborTable
from cells.neighbors.neighbor import Neighbor

LOG = logging.getLogger(__name__)


class NeighborSource(Protocol):
    """Gives the rows of all neighbors."""

    def neighbors(self) -> list[Neighbor]:
        """:raises cells.exceptions.CellsError: they cannot be read now"""

    def close(self) -> None:
        """Close what is open; reading opens it again."""


class FileSource:
    """Neighbors from the JSON file that ``[cells] cells_config`` names: name -> row."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def neighbors(self) -> list[Neighbor]:
        """:raises cells.exceptions.ConfigurationError: the file is missing or wrong"""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise exceptions.ConfigurationError(
                f"The neighbors cannot be read from [cells] cells_config = {self.path}: {error}"
            ) from error
        if not isinstance(data, dict):
            raise exceptions.ConfigurationError(
                f"{self.path} must hold a JSON object that maps names of cells to rows, not {type(data).__name__}."
            )
        rows: list[Neighbor] = []
        problems: list[str] = []
        for name, row in data.items():
            try:
                rows.append(Neighbor.from_mapping(name, row))
            except exceptions.InvalidNeighbor as error:
                problems.append(error.message)
        if problems:
            raise exceptions.ConfigurationError(f"{self.path}: {' '.join(problems)}")
        return rows

    def close(self) -> None:
        """Nothing is kept open."""


class NeighborLoader:
    """Brings the table up to date with its source, and keeps it when the source is away."""

    def __init__(
        self,
        cell_name: str,
        source: NeighborSource,
        table: NeighborTable,
        counters: Counters,
        on_changes: Callable[[Changes], None],
    ) -> None:
        """``on_changes`` is told what is new or gone after each load that changed something."""
        self._cell_name = cell_name
        self._source = source
        self._table = table
        self._counters = counters
        self._on_changes = on_changes
        # The periodic look and SIGHUP may come together: rows that were read first must not be put in last.
        self._loading = threading.Lock()
        self._problem: str | None = None
        self._refused: set[str] = set()
        self._unreadable_caps: dict[str, str] = {}

    def load(self, *, is_asked: bool = False) -> bool:
        """Load once.  Never raises.

        :param is_asked: somebody wants to know, even if it fails as it did before
        :returns: False if the source could not be read; the last known table stays
        """
        with self._loading:
            return self._load(is_asked=is_asked)

    def close(self) -> None:
        """Close the source; loading opens it again."""
        self._source.close()

    def _load(self, *, is_asked: bool) -> bool:
        error: exceptions.CellsError | None = None
        rows: list[Neighbor] = []
        try:
            rows = self._source.neighbors()
        except exceptions.CellsError as raised:
            error = raised
        if error is not None:
            self._counters.count("load_failed", type(error).__name__)
            # One line for each problem, not one per interval.
            level = logging.WARNING if is_asked or error.message != self._problem else logging.DEBUG
            LOG.log(level, "The neighbors could not be loaded, the last known ones stay: %s", error.message)
            self._problem = error.message
            return False
        if self._problem is not None:
            LOG.info("The neighbors can be loaded again.")
        self._problem = None
        changes = self._table.replace(self._usable(rows))
        if changes:
            for name, changed in (("added", changes.added), ("changed", changes.changed)):
                if changed:
                    LOG.info("Neighbors %s: %s", name, ", ".join(row.name for row in changed))
            gone = {row.name for row in changes.removed} - {row.name for row in changes.changed}
            if gone:
                LOG.info("Neighbors removed: %s", ", ".join(sorted(gone)))
            self._on_changes(changes)
        return True

    def _usable(self, rows: list[Neighbor]) -> list[Neighbor]:
        refused = {row.name for row in rows if row.name == self._cell_name}
        if refused - self._refused:
            self._counters.count("refused", "InvalidNeighbor")
            LOG.error(
                "A neighbor has this cell's own name, %s, and is left out: remove it %s, or correct [cells] name.",
                self._cell_name,
                self._where(f"delete {self._cell_name}"),
            )
        self._refused = refused
        usable = [row for row in rows if row.name not in refused]
        self._tell_unreadable_caps(usable)
        return usable

    def _tell_unreadable_caps(self, rows: list[Neighbor]) -> None:
        """Such a cap was written by hand or by a newer release.

        The row stays as it is, so that the operator finds what was written: it is no reason to lose the neighbor.
        :mod:`cells.neighbors.link_versions` takes the cap for the lowest: it speaks no more than its operator wants.
        """
        problems = {row.name: problem for row in rows if (problem := _problem_of_cap(row))}
        for name, problem in problems.items():
            if self._unreadable_caps.get(name) != problem:
                self._counters.count("refused", "InvalidNeighbor")
                LOG.error(
                    "The version cap of neighbor %s cannot be read, and counts as %s: %s Set another one %s.",
                    name,
                    versions.OLDEST,
                    problem,
                    self._where(f"set {name} --version-cap ..."),
                )
        self._unreadable_caps = problems

    def _where(self, words: str) -> str:
        """Where rows are changed: in the file, or with this command of ``cells neighbor``."""
        if isinstance(self._source, FileSource):
            return f"in {self._source.path}"
        return f'with "cells neighbor {words}"'


def _problem_of_cap(row: Neighbor) -> str | None:
    """What is wrong with the version cap of ``row``."""
    if row.version_cap is None:
        return None
    try:
        versions.read_cap(row.version_cap)
    except exceptions.ConfigurationError as error:
        return error.message
    return None

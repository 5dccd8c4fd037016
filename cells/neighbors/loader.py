"""Loading of the neighbors from the database or a file.

The manager's periodic task calls :class:`NeighborLoader`, which updates the table without a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cells import exceptions, versions
from cells.counters import Counters
from cells.neighbors import Changes, NeighborTable, rows_file
from cells.neighbors.link_versions import problem_of
from cells.neighbors.neighbor import Neighbor

LOG = logging.getLogger(__name__)


class NeighborSource(Protocol):
    """Source of the rows of all neighbors."""

    def neighbors(self) -> list[Neighbor]:
        """Return all rows.

        :raises cells.exceptions.CellsError: the source cannot be read now
        """

    def close(self) -> None:
        """Close open connections; the next read opens them again."""


class FileSource:
    """File that ``[cells] cells_config`` names, as :mod:`cells.neighbors.rows_file` reads it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def neighbors(self) -> list[Neighbor]:
        """Return the rows of the file.

        :raises cells.exceptions.ConfigurationError: the file is missing or wrong
        """
        where = f"[cells] cells_config = {self.path}"
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise exceptions.ConfigurationError(f"The neighbors cannot be read from {where}: {error}") from error
        return rows_file.read(text, where)

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""


@dataclass(eq=False, repr=False)
class NeighborLoader:
    """Updates the neighbor table from its source; keeps the table while the source is away.  Thread-safe."""

    cell_name: str
    source: NeighborSource
    table: NeighborTable
    counters: Counters
    #: called with the differences after each load that changed the table
    on_changes: Callable[[Changes], None]

    def __post_init__(self) -> None:
        # If the periodic load and SIGHUP coincide, the rows that were read first must not be stored last.
        self._loading = threading.Lock()
        #: why the last load failed; None: it succeeded, or there was none
        self.problem: str | None = None
        self._is_loaded = False
        self._refused: set[str] = set()
        self._unreadable_caps: dict[str, str] = {}

    def load(self, *, is_asked: bool = False) -> bool:
        """Load once.  Never raises.

        :param is_asked: an operator asks for it, so a failure is logged even if it is the same as before
        :returns: False if the source could not be read; the last known table stays
        """
        with self._loading:
            return self._load(is_asked=is_asked)

    def close(self) -> None:
        """Close the source; loading opens it again."""
        self.source.close()

    def _load(self, *, is_asked: bool) -> bool:
        error: exceptions.CellsError | None = None
        rows: list[Neighbor] = []
        try:
            rows = self.source.neighbors()
        except exceptions.CellsError as raised:
            error = raised
        if error is not None:
            self.counters.count("load_failed", type(error).__name__)
            # One line for each problem instead of one for each interval.
            level = logging.WARNING if is_asked or error.message != self.problem else logging.DEBUG
            meanwhile = "the last known neighbors are kept" if self._is_loaded else "the manager waits for them"
            LOG.log(level, "The neighbors cannot be loaded; %s: %s", meanwhile, error.message)
            self.problem = error.message
            return False
        if self.problem is not None:
            LOG.info("The neighbors can be loaded again.")
        self.problem, self._is_loaded = None, True
        changes = self.table.replace(self._usable(rows))
        if changes:
            for name, changed in (("added", changes.added), ("changed", changes.changed)):
                if changed:
                    LOG.info("Neighbors %s: %s", name, ", ".join(row.name for row in changed))
            gone = {row.name for row in changes.removed} - {row.name for row in changes.changed}
            if gone:
                LOG.info("Neighbors removed: %s", ", ".join(sorted(gone)))
            self.on_changes(changes)
        return True

    def _usable(self, rows: list[Neighbor]) -> list[Neighbor]:
        refused = {row.name for row in rows if row.name == self.cell_name}
        if refused - self._refused:
            self.counters.count("refused", "InvalidNeighbor")
            LOG.error(
                "A neighbor has this cell's own name, %s, and is ignored: remove it %s, or correct [cells] name.",
                self.cell_name,
                self._where(f"delete {self.cell_name}"),
            )
        self._refused = refused
        usable = [row for row in rows if row.name not in refused]
        self._log_unreadable_caps(usable)
        return usable

    def _log_unreadable_caps(self, rows: list[Neighbor]) -> None:
        """Log each cap that this release cannot read: it was written by hand or by a newer release.

        The row stays unchanged, so that the operator finds the cap and the neighbor is not lost.
        :mod:`cells.neighbors.link_versions` treats the cap as the lowest version, which is never above the operator's
        intention.
        """
        problems = {row.name: problem for row in rows if (problem := problem_of(row.version_cap))}
        for name, problem in problems.items():
            if self._unreadable_caps.get(name) != problem:
                self.counters.count("refused", "InvalidNeighbor")
                LOG.error(
                    "The version cap of neighbor %s cannot be read and counts as %s: %s Set another cap %s.",
                    name,
                    versions.OLDEST,
                    problem,
                    self._where(f"set {name} --version-cap ..."),
                )
        self._unreadable_caps = problems

    def _where(self, words: str) -> str:
        """Return the place where an operator changes rows: the file, or this command of ``cells neighbor``."""
        if isinstance(self.source, FileSource):
            return f"in {self.source.path}"
        return f'with "cells neighbor {words}"'

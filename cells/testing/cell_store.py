"""The rows and the known paths of a cell in a tree: its SQLite database, without SQLAlchemy.

The engine of :class:`cells.db.api.Database` would need more time for its first row than the rest of the start.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import exceptions
from cells.neighbors.neighbor import COLUMNS, Neighbor
from cells.neighbors.transitions import Transition

_TIMEOUT_SECONDS = 5.0
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM cells WHERE deleted = 0 ORDER BY name"  # noqa: S608  # our own names


class CellStore:
    """Source of the neighbors, and store of the known paths, of one cell.  Thread-safe; connects for each call."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def neighbors(self) -> list[Neighbor]:
        """Return all neighbors, sorted by name.

        :raises cells.exceptions.DatabaseUnavailable: the database cannot be read
        :raises cells.exceptions.InvalidNeighbor: a row was changed by hand
        """
        with self._connected() as connection:
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in connection.execute(_ROWS)]
        return [Neighbor(**{**row, "is_parent": bool(row["is_parent"])}) for row in rows]

    def known_paths(self) -> dict[str, str]:
        """Return the last known path of each parent.

        :raises cells.exceptions.DatabaseUnavailable: the database cannot be read
        """
        with self._connected() as connection:
            return dict(connection.execute("SELECT parent, path FROM known_paths"))

    def store_known_paths(self, paths: Mapping[str, str]) -> None:
        """Replace the last known paths.

        :raises cells.exceptions.DatabaseUnavailable: the database cannot be written
        """
        with self._connected() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM known_paths")
            connection.executemany("INSERT INTO known_paths (parent, path) VALUES (?, ?)", paths.items())

    def record_transitions(self, transitions: Sequence[Transition]) -> None:
        """Do nothing: a tree keeps no history."""

    def close(self) -> None:
        """Do nothing: no connection stays open."""

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            # Without the mode, SQLite would create a file that is missing.
            connection = sqlite3.connect(f"{self._file.as_uri()}?mode=rw", uri=True, timeout=_TIMEOUT_SECONDS)
            with contextlib.closing(connection):
                # A commit that waits for the disk takes longer than the whole start of the cell.
                connection.execute("PRAGMA synchronous = OFF")
                yield connection
        except sqlite3.Error as error:
            raise exceptions.DatabaseUnavailable(f"{self._file} cannot be used: {error}.") from error

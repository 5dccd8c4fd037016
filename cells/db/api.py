"""Database: reads and changes the registered neighbors of one cell, and the last known paths of its parents.

The manager reads it through its source of neighbors, and keeps the paths there; ``cells neighbor`` changes the
neighbors.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from oslo_config import cfg
from oslo_db import exception as oslo_errors
from sqlalchemy import select
from sqlalchemy.orm import Session

from cells import exceptions, path
from cells.db import engine, models, schema
from cells.neighbors import neighbor

LOG = logging.getLogger(__name__)


class Database:
    """Registry of the neighbors of one cell.  Thread-safe; connects on demand.

    Every method may block for a few seconds.  It raises DatabaseUnavailable if the database
    does not answer in that time, and SchemaOutdated if the operator must run ``cells db sync``
    first.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._facade = engine.facade(conf)
        self._is_schema_checked = False

    def neighbors(self) -> list[neighbor.Neighbor]:
        """Return all neighbors, sorted by name.

        An invalid row (changed by hand) is skipped and logged, so that the other neighbors work.
        """
        usable, problems = self.examine()
        for problem in problems:
            LOG.warning("An invalid row of a neighbor is skipped: %s", problem)
        return usable

    def examine(self) -> tuple[list[neighbor.Neighbor], list[exceptions.InvalidNeighbor]]:
        """Return all neighbors, sorted by name, and for each invalid row an error with the remedy."""
        usable: list[neighbor.Neighbor] = []
        problems: list[exceptions.InvalidNeighbor] = []
        with self._reading() as session:
            for cell in session.scalars(select(models.Cell).where(models.Cell.deleted == 0)):
                try:
                    usable.append(_row(cell))
                except exceptions.InvalidNeighbor as error:
                    problems.append(exceptions.InvalidNeighbor(f"{error.message} {_repair(cell.name)}", cell=cell.name))
        return sorted(usable, key=lambda row: row.name), problems

    def get(self, name: str) -> neighbor.Neighbor:
        """Return the neighbor ``name``.

        :raises cells.exceptions.NeighborNotFound: no neighbor has that name
        :raises cells.exceptions.InvalidNeighbor: its row is invalid (changed by hand)
        """
        with self._reading() as session:
            return _row(_find(session, name))

    def create(self, row: neighbor.Neighbor) -> None:
        """Register a neighbor.

        :raises cells.exceptions.NeighborExists: a neighbor has that name already
        """
        try:
            with self._writing() as session:
                session.add(models.Cell(**row.as_dict()))
        except oslo_errors.DBDuplicateEntry as error:
            raise exceptions.NeighborExists(
                f"There is a neighbor {row.name} already; change it with 'cells neighbor set {row.name}'.",
                cell=row.name,
            ) from error

    def update(self, name: str, **changes: Any) -> neighbor.Neighbor:
        """Change columns of a neighbor; return the changed neighbor.

        :raises cells.exceptions.NeighborNotFound: no neighbor has that name
        :raises cells.exceptions.InvalidNeighbor: a new value is invalid
        """
        neighbor.check_columns(name, changes)
        with self._writing() as session:
            cell = _find(session, name)
            row = neighbor.Neighbor(**{**_columns(cell), **changes})
            for column in changes:
                setattr(cell, column, getattr(row, column))
            return row

    def delete(self, name: str) -> None:
        """Delete a neighbor.  Its row stays, marked as deleted, and its name is free.

        :raises cells.exceptions.NeighborNotFound: no neighbor has that name
        """
        with self._writing() as session:
            _find(session, name).soft_delete()

    def known_paths(self) -> dict[str, str]:
        """Return the last known path of each parent."""
        with self._reading() as session:
            return {known.parent: known.path for known in session.scalars(select(models.KnownPath))}

    def store_known_paths(self, paths: Mapping[str, str]) -> None:
        """Replace the last known paths; a second manager of the cell may do so at the same time."""
        with contextlib.suppress(oslo_errors.DBDuplicateEntry), self._writing() as session:
            stored = {known.parent: known for known in session.scalars(select(models.KnownPath))}
            for parent, known in stored.items():
                if parent not in paths:
                    session.delete(known)
            for parent, path in paths.items():
                if parent in stored:
                    stored[parent].path = path
                else:
                    session.add(models.KnownPath(parent=parent, path=path))

    def close(self) -> None:
        """Close the connections.  They are opened again on demand."""
        self._facade.dispose_pool()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        with engine.transaction(self._facade.reader, self._conf) as session:
            self._check_schema(session)
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        with engine.transaction(self._facade.writer, self._conf) as session:
            engine.lock_if_sqlite(session.connection())
            self._check_schema(session)
            yield session

    def _check_schema(self, session: Session) -> None:
        if not self._is_schema_checked:
            schema.check(session.connection())
            self._is_schema_checked = True


def _find(session: Session, name: str) -> models.Cell:
    statement = select(models.Cell).where(models.Cell.name == name, models.Cell.deleted == 0)
    # A text that is no UTF-8 cannot be sent to a database, so no row contains it.
    cell = session.scalars(statement).one_or_none() if name.isprintable() else None
    if cell is None:
        raise exceptions.NeighborNotFound(
            f"There is no neighbor {name}; 'cells neighbor list' shows the registered neighbors.", cell=name
        )
    return cell


def _repair(name: str) -> str:
    """Return the remedy for an invalid row."""
    try:
        path.check_name(name)
    except exceptions.InvalidNeighbor:
        # "cells neighbor set" finds the row by its name, so it cannot change the name; see also _find.
        if not name.isprintable():
            return "Delete its row from the table 'cells' by hand."
        return f'Remove it with "cells neighbor delete -- {shlex.quote(name)}".'
    return f"Repair it with 'cells neighbor set {name}'."


def _columns(cell: models.Cell) -> dict[str, Any]:
    return {column: getattr(cell, column) for column in neighbor.COLUMNS}


def _row(cell: models.Cell) -> neighbor.Neighbor:
    return neighbor.Neighbor(**_columns(cell))

"""Database: the neighbors that an operator has registered, read and changed.

The manager reads it through its source of neighbors, ``cells neighbor`` changes it.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg
from oslo_db import exception as oslo_errors
from sqlalchemy import select
from sqlalchemy.orm import Session

from cells import exceptions, path
from cells.db import engine, models, schema
from cells.neighbors import neighbor

LOG = logging.getLogger(__name__)


class _Call:
    """What enginefacade hangs the session of one call on."""


class Database:
    """The registry of one cell.  Thread-safe; opens connections when it needs them.

    Every method may block for a few seconds, and raises DatabaseUnavailable when
    the database does not answer in that time, SchemaOutdated when
    ``cells db sync`` has to be run first.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._facade = engine.facade(conf)
        self._is_schema_checked = False

    def neighbors(self) -> list[neighbor.Neighbor]:
        """All neighbors, sorted by name.

        A row that cannot be used (it was changed by hand) is left out and logged,
        so that it does not take the others with it.
        """
        usable, problems = self.examine()
        for problem in problems:
            LOG.warning("The row of a neighbor is left out: %s", problem)
        return usable

    def examine(self) -> tuple[list[neighbor.Neighbor], list[exceptions.InvalidNeighbor]]:
        """All neighbors, sorted by name, and of each row that cannot be used what is wrong and what to do."""
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
        """One neighbor.

        :raises cells.exceptions.NeighborNotFound: there is none of that name
        :raises cells.exceptions.InvalidNeighbor: its row was changed by hand and cannot be used
        """
        with self._reading() as session:
            return _row(_find(session, name))

    def create(self, row: neighbor.Neighbor) -> None:
        """Register a neighbor.

        :raises cells.exceptions.NeighborExists: there is one of that name
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
        """Change columns of a neighbor; return what it is now.

        :raises cells.exceptions.NeighborNotFound: there is none of that name
        :raises cells.exceptions.InvalidNeighbor: a change cannot work
        """
        neighbor.check_columns(name, changes)
        with self._writing() as session:
            cell = _find(session, name)
            row = neighbor.Neighbor(**{**_columns(cell), **changes})
            for column in changes:
                setattr(cell, column, getattr(row, column))
            return row

    def delete(self, name: str) -> None:
        """Forget a neighbor.  Its row stays, marked as deleted, and its name is free.

        :raises cells.exceptions.NeighborNotFound: there is none of that name
        """
        with self._writing() as session:
            _find(session, name).soft_delete()

    def close(self) -> None:
        """Close the connections.  They are opened again when they are needed."""
        self._facade.dispose_pool()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        """A session that ends with the block."""
        with engine.translated_errors(self._conf), self._facade.reader.using(_Call()) as session:
            self._check_schema(session)
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session in a transaction that is committed at the end of the block."""
        with engine.translated_errors(self._conf), self._facade.writer.using(_Call()) as session:
            engine.lock_if_sqlite(session.connection())
            self._check_schema(session)
            yield session

    def _check_schema(self, session: Session) -> None:
        if not self._is_schema_checked:
            schema.check(session.connection())
            self._is_schema_checked = True


def _find(session: Session, name: str) -> models.Cell:
    statement = select(models.Cell).where(models.Cell.name == name, models.Cell.deleted == 0)
    # A text that is no UTF-8 cannot be sent to a database, nor be in one.
    cell = session.scalars(statement).one_or_none() if name.isprintable() else None
    if cell is None:
        raise exceptions.NeighborNotFound(
            f"There is no neighbor {name}; 'cells neighbor list' shows those that are registered.", cell=name
        )
    return cell


def _repair(name: str) -> str:
    """What to do about a row that cannot be used."""
    try:
        path.check_name(name)
    except exceptions.InvalidNeighbor:
        # The name is what the command finds the row by, so it cannot change it; see also _find.
        if not name.isprintable():
            return "Delete its row from the table 'cells' by hand."
        return f'Remove it with "cells neighbor delete -- {shlex.quote(name)}".'
    return f"Repair it with 'cells neighbor set {name}'."


def _columns(cell: models.Cell) -> dict[str, Any]:
    return {column: getattr(cell, column) for column in neighbor.COLUMNS}


def _row(cell: models.Cell) -> neighbor.Neighbor:
    return neighbor.Neighbor(**_columns(cell))

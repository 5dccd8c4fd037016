"""Database: reads and changes the registered neighbors of one cell, the last known paths of its parents, and the
history of its links.

The manager reads it through its source of neighbors, and keeps the paths and the history there; ``cells neighbor``
changes the neighbors.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_db import exception as oslo_errors
from sqlalchemy import select
from sqlalchemy.orm import Session

from cells import exceptions, path
from cells.db import engine, models, schema
from cells.db import transitions as table
from cells.neighbors import certificate_owners, direct_columns, neighbor
from cells.neighbors.row_changes import RowChanges
from cells.neighbors.transitions import MAX_PER_NEIGHBOR, Transition

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
        :raises cells.exceptions.InvalidNeighbor: another neighbor has one of its certificates
        """
        try:
            with self._writing() as session:
                _check_certificates(session, row)
                session.add(models.Cell(**row.as_dict()))
        except oslo_errors.DBDuplicateEntry as error:
            raise exceptions.NeighborExists(
                f"There is a neighbor {row.name} already; change it with 'cells neighbor set {row.name}'.",
                cell=row.name,
            ) from error

    def update(self, name: str, **changes: Any) -> neighbor.Neighbor:
        """Change columns of a neighbor; return the changed neighbor.

        :raises cells.exceptions.NeighborNotFound: no neighbor has that name
        :raises cells.exceptions.InvalidNeighbor: a new value is invalid, or another neighbor has a new certificate
        """
        neighbor.check_columns(name, changes)
        with self._writing() as session:
            cell = _find(session, name)
            row = neighbor.Neighbor(**{**_columns(cell), **changes})
            if "certificates" in changes:
                _check_certificates(session, row)
            for column in changes:
                setattr(cell, column, getattr(row, column))
            return row

    def delete(self, name: str) -> None:
        """Delete a neighbor.  Its row stays, marked as deleted, and its name is free.

        :raises cells.exceptions.NeighborNotFound: no neighbor has that name
        """
        with self._writing() as session:
            _find(session, name).soft_delete()

    def merge(
        self, compare: Callable[[Mapping[str, Mapping[str, Any]]], RowChanges], *, is_dry_run: bool = False
    ) -> RowChanges:
        """Make several changes in one transaction; return them.

        :param compare: takes the columns of each registered neighbor, by name, and returns the changes
        :param is_dry_run: change nothing
        :raises cells.exceptions.NeighborExists: another command has registered a new neighbor at the same time
        """
        try:
            with self._reading() if is_dry_run else self._writing() as session:
                cells = {
                    cell.name: cell for cell in session.scalars(select(models.Cell).where(models.Cell.deleted == 0))
                }
                changes = compare({name: _columns(cell) for name, cell in cells.items()})
                if not is_dry_run:
                    session.add_all(models.Cell(**row.as_dict()) for row in changes.created)
                    for change in changes.changed:
                        for column in change.columns:
                            setattr(cells[change.row.name], column, getattr(change.row, column))
                    for columns in changes.removed:
                        cells[columns["name"]].soft_delete()
                return changes
        except oslo_errors.DBDuplicateEntry as error:
            raise exceptions.NeighborExists(
                "Another command has registered one of the neighbors at the same time: nothing is changed, run this "
                "command again."
            ) from error

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

    def record_transitions(self, transitions: Sequence[Transition]) -> None:
        """Store transitions of links, oldest first, as :class:`cells.neighbors.transitions.TransitionStore` says."""
        with self._writing() as session:
            table.record(session, transitions)

    def transitions(self, neighbor: str | None = None, limit: int = MAX_PER_NEIGHBOR) -> list[Transition]:
        """Return the last transitions of a neighbor, or of all neighbors, oldest first."""
        with self._reading() as session:
            return table.read(session, neighbor, limit)

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


def _check_certificates(session: Session, row: neighbor.Neighbor) -> None:
    """Check that no other neighbor has a certificate of ``row``.

    :raises cells.exceptions.InvalidNeighbor: a neighbor has one
    """
    if row.certificates is None:
        return
    others = select(models.Cell.name, models.Cell.certificates).where(
        models.Cell.deleted == 0, models.Cell.name != row.name, models.Cell.certificates.is_not(None)
    )
    owners = {}
    for name, text in session.execute(others):
        # The manager ignores a row that was damaged by hand.
        with contextlib.suppress(exceptions.InvalidNeighbor):
            owners.update(dict.fromkeys(direct_columns.read_certificates(text), name))
    certificate_owners.check(row.name, row.certificate_list, owners)


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

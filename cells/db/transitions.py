"""The table of the transitions of links: bounded for each neighbor, written by all managers of a cell.

:class:`cells.db.api.Database` calls these functions within its transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from cells.db import models
from cells.neighbors.transitions import MAX_PER_NEIGHBOR, REMOVED, REMOVED_SECONDS, Transition

_TABLE: Any = models.LinkTransition.__table__
_COLUMNS = _TABLE.c


def record(session: Session, transitions: Sequence[Transition]) -> None:
    """Insert the transitions that change the last state, and remove the oldest of a neighbor that has too many.

    :param transitions: at most some hundred, for the parameters of one statement
    """
    names = sorted({one.neighbor for one in transitions})
    last = _last_states(session, sorted({one.manager for one in transitions}), names)
    new: list[dict[str, Any]] = []
    for one in transitions:
        key = one.neighbor, one.manager
        if last.get(key) != one.state:
            last[key] = one.state
            new.append({name: getattr(one, name) for name in ("neighbor", "manager", "state", "since", "why")})
    if not new:
        return
    session.execute(insert(_TABLE), new)
    _remove_oldest(session, names)
    if any(values["state"] == REMOVED for values in new):
        _remove_forgotten(session, max(values["since"] for values in new) - REMOVED_SECONDS)


def read(session: Session, neighbor: str | None, limit: int) -> list[Transition]:
    """Return the last transitions, oldest first."""
    statement = select(_TABLE).order_by(_COLUMNS.id.desc()).limit(limit)
    if neighbor is not None:
        statement = statement.where(_COLUMNS.neighbor == neighbor)
    found = session.execute(statement).mappings().all()
    return [Transition(**{name: row[name] for name in row if name != "id"}) for row in reversed(found)]


def _last_states(session: Session, managers: Sequence[str], names: Sequence[str]) -> dict[tuple[str, str], str]:
    newest = (
        select(func.max(_COLUMNS.id))
        .where(_COLUMNS.neighbor.in_(names), _COLUMNS.manager.in_(managers))
        .group_by(_COLUMNS.neighbor, _COLUMNS.manager)
    )
    found = session.execute(
        select(_COLUMNS.neighbor, _COLUMNS.manager, _COLUMNS.state).where(
            _COLUMNS.id.in_(list(session.scalars(newest)))
        )
    )
    return {(neighbor, manager): state for neighbor, manager, state in found}


def _remove_oldest(session: Session, names: Sequence[str]) -> None:
    too_many = (
        select(_COLUMNS.neighbor)
        .where(_COLUMNS.neighbor.in_(names))
        .group_by(_COLUMNS.neighbor)
        .having(func.count() > MAX_PER_NEIGHBOR)
    )
    for name in list(session.scalars(too_many)):
        of_name = _COLUMNS.neighbor == name
        # MariaDB deletes no rows that a subquery of the same table selects.
        kept = select(_COLUMNS.id).where(of_name).order_by(_COLUMNS.id.desc()).offset(MAX_PER_NEIGHBOR).limit(1)
        newest_removed = session.scalar(kept)
        session.execute(delete(_TABLE).where(of_name, _COLUMNS.id <= newest_removed))


def _remove_forgotten(session: Session, before: float) -> None:
    """Remove the transitions of neighbors that were removed so long ago; nothing happens to such a neighbor."""
    forgotten = (
        select(_COLUMNS.neighbor)
        .where(_COLUMNS.neighbor.not_in(select(models.Cell.name).where(models.Cell.deleted == 0)))
        .group_by(_COLUMNS.neighbor)
        .having(func.max(_COLUMNS.since) < before)
    )
    for name in list(session.scalars(forgotten)):
        session.execute(delete(_TABLE).where(_COLUMNS.neighbor == name))

"""The changes that make the registered neighbors those of a file.  Pure.

``cells neighbor import`` shows them, and :meth:`cells.db.api.Database.merge` writes them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cells import exceptions
from cells.neighbors import certificate_owners, direct_columns
from cells.neighbors.neighbor import COLUMNS, Neighbor
from cells.transport import url as transport_url

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate

#: Columns of a registered neighbor, which may be invalid: a row can be changed by hand.
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class RowChange:
    """New values of some columns of a registered neighbor."""

    row: Neighbor  #: with the new values
    before: Columns  #: all columns
    columns: Sequence[str]  #: the changed ones


@dataclass(frozen=True)
class RowChanges:
    """Differences between the registered neighbors and those of a file, sorted by name."""

    created: Sequence[Neighbor]
    changed: Sequence[RowChange]
    removed: Sequence[Columns]
    unchanged: Sequence[str]
    #: names of registered neighbors that are not in the file and stay
    kept: Sequence[str]


def compare(registered: Mapping[str, Columns], wanted: Iterable[Neighbor], *, prune: bool) -> RowChanges:
    """Return the changes.

    :param registered: name -> columns of each registered neighbor
    :param wanted: the rows of the file; a password may be masked if that neighbor has the same URL otherwise
    :param prune: remove neighbors that the file does not contain
    :raises cells.exceptions.InvalidNeighbor: a password is masked and not known, or a certificate belongs to two
        neighbors; the error names each such row
    """
    rows: dict[str, Neighbor] = {}
    problems: list[exceptions.InvalidNeighbor] = []
    for row in wanted:
        try:
            rows[row.name] = _with_password(row, registered.get(row.name))
        except exceptions.InvalidNeighbor as error:
            problems.append(error)
    others = sorted(registered.keys() - rows.keys())
    owners = {} if prune else _owners({name: registered[name] for name in others})
    for row in rows.values():
        try:
            certificate_owners.check(row.name, row.certificate_list, owners)
        except exceptions.InvalidNeighbor as error:
            problems.append(error)
    if problems:
        cells = {error.cell for error in problems}
        raise exceptions.InvalidNeighbor(
            " ".join(error.message for error in problems), cell=cells.pop() if len(cells) == 1 else None
        )
    by_name = [rows[name] for name in sorted(rows)]
    changed = [_change(row, registered[row.name]) for row in by_name if row.name in registered]
    return RowChanges(
        created=[row for row in by_name if row.name not in registered],
        changed=[change for change in changed if change.columns],
        removed=[registered[name] for name in others] if prune else [],
        unchanged=[change.row.name for change in changed if not change.columns],
        kept=[] if prune else others,
    )


def _with_password(row: Neighbor, before: Columns | None) -> Neighbor:
    """Return ``row`` with the registered password in place of one that an export has masked.

    :raises cells.exceptions.InvalidNeighbor: the password is masked, and the registered URL differs in other parts
    """
    url = row.transport_url
    if transport_url.MASK not in url:
        return row
    known = None if before is None else str(before["transport_url"])
    if known is not None and transport_url.mask(known) == url:
        return dataclasses.replace(row, transport_url=known)
    if not transport_url.has_mask(url):
        return row
    if known is None:
        reason, mend = "and no neighbor of that name is registered", "write the password"
    else:
        reason = "and the registered URL is not the same apart from the password"
        mend = f"write the password, or the registered URL, {transport_url.mask(known)}"
    raise exceptions.InvalidNeighbor(
        f"Neighbor {row.name!r}: the password in transport_url is masked ({transport_url.MASK}), {reason}: {mend}, or "
        "export with --show-secrets.",
        cell=row.name,
    )


def _owners(rows: Mapping[str, Columns]) -> dict[Certificate, str]:
    owners: dict[Certificate, str] = {}
    for name, columns in rows.items():
        if columns["certificates"] is not None:
            # The manager ignores a row that was damaged by hand.
            with contextlib.suppress(exceptions.InvalidNeighbor):
                owners.update(dict.fromkeys(direct_columns.read_certificates(columns["certificates"]), name))
    return owners


def _change(row: Neighbor, before: Columns) -> RowChange:
    return RowChange(row, before, [column for column in COLUMNS if getattr(row, column) != before[column]])

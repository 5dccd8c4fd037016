"""Registration: changes of one registered neighbor, for ``cells neighbor`` and for the manager."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cells import exceptions
from cells.neighbors import direct_columns, row_checks
from cells.neighbors.neighbor import Neighbor, check_columns
from cells.transport import link_options
from cells.transport import url as transport_url


class RowStore(Protocol):
    """Registry of the neighbors, as :class:`cells.db.api.Database` is."""

    def get(self, name: str) -> Neighbor: ...

    def create(self, row: Neighbor) -> None: ...

    def update(self, name: str, **changes: Any) -> Neighbor: ...

    def delete(self, name: str) -> None: ...


def check_is_in_database(file: str | None) -> None:
    """Check that a change in the database would have an effect.

    :param file: [cells] cells_config
    :raises cells.exceptions.NeighborsReadOnly: the manager reads its neighbors from that file
    """
    if file:
        raise exceptions.NeighborsReadOnly(
            f"The neighbors of this cell are in {file}, because [cells] cells_config is set: edit that file, or "
            "remove the option first to use the database."
        )


@dataclass(frozen=True)
class Registration:
    """Creates, changes and deletes neighbors of one cell.  Thread-safe; blocks as long as the store does.

    Each method raises the errors of the store, and InvalidNeighbor for a value that cannot work in this cell.  No error
    contains a password.
    """

    #: [cells] name
    cell_name: str | None
    #: [cells_direct] certificate
    own_certificate: str
    #: opens the registry for a block
    open_store: Callable[[], contextlib.AbstractContextManager[RowStore]]

    def create(
        self,
        name: str,
        columns: Mapping[str, Any],
        parts: transport_url.Parts | None = None,
        of_link: Mapping[str, str] | None = None,
    ) -> Neighbor:
        """Register a neighbor; return its row.

        :param columns: of the row; those that are missing have their defaults
        :param parts: of the transport URL, in place of the column or beside it
        :param of_link: options in the query of the transport URL
        """
        parts, of_link = parts or transport_url.Parts(), of_link or {}
        columns = dict(columns)
        text = columns.get("transport_url", "")
        if parts or of_link or (not text and columns.get("driver") != direct_columns.DIRECT):
            text = _change_url(text, parts, of_link)
        row = Neighbor.from_mapping(name, {**columns, "transport_url": text})
        row_checks.check_drivers(row.driver, row.also_accept)
        row_checks.check_transport(row.driver, row.transport_url)
        row_checks.check_is_another_cell(name, self.cell_name)
        self._check(name, columns)
        with self.open_store() as store:
            store.create(row)
        return row

    def update(
        self,
        name: str,
        changes: Mapping[str, Any],
        parts: transport_url.Parts | None = None,
        of_link: Mapping[str, str] | None = None,
    ) -> Neighbor:
        """Change a neighbor; return its row.  The parameters are those of :meth:`create`."""
        parts, of_link = parts or transport_url.Parts(), of_link or {}
        changes = dict(changes)
        if not changes and not parts and not of_link:
            raise exceptions.InvalidNeighbor(f"No change is given for neighbor {name:.80}.")
        check_columns(name, changes)
        self._check(name, changes)
        if changes.get("name", name) != name:
            raise exceptions.InvalidNeighbor(f"Neighbor {name!r:.80} cannot get another name.", cell=name)
        row_checks.check_drivers(changes.get("driver"), changes.get("also_accept"))
        with self.open_store() as store:
            if parts or of_link:
                text = changes.get("transport_url") or store.get(name).transport_url
                changes["transport_url"] = _change_url(text, parts, of_link)
            _check_transport(store, name, changes)
            return store.update(name, **changes)

    def delete(self, name: str) -> None:
        """Delete a neighbor."""
        with self.open_store() as store:
            store.delete(name)

    def _check(self, name: str, columns: Mapping[str, Any]) -> None:
        row_checks.check_certificates(name, columns, self.own_certificate)
        if "version_cap" in columns:
            row_checks.check_version_cap(columns["version_cap"])


def _check_transport(store: RowStore, name: str, changes: Mapping[str, Any]) -> None:
    driver, url = changes.get("driver"), changes.get("transport_url")
    if driver is None and url is None:
        return
    if driver is None or url is None:
        try:
            row = store.get(name)
        except exceptions.InvalidNeighbor:
            return  # The row is invalid. The store refuses the change unless it makes the row valid.
        driver, url = driver or row.driver, url or row.transport_url
    row_checks.check_transport(driver, url)


def _change_url(text: str, parts: transport_url.Parts, of_link: Mapping[str, str]) -> str:
    """Return a transport URL with the given parts and options of the link; ``text`` may be empty."""
    url = transport_url.change(transport_url.parse(text), parts) if text else transport_url.build(parts)
    return str(link_options.change(url, of_link))

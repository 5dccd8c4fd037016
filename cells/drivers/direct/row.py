"""Row: the part of a neighbor that the driver of direct links reads.  Imports nothing of certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cells.drivers.base import Target

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate

#: The name of the driver in rows.
NAME = "direct"


class Row(Target, Protocol):
    """The part of a neighbor that this driver reads."""

    def may_send_over(self, driver: str) -> bool:
        """Return whether messages of the neighbor are accepted over a driver."""

    @property
    def certificate_list(self) -> tuple[Certificate, ...]:
        """Its own certificates."""

    @property
    def certificate_path(self) -> str | None:
        """The path that a certificate of an authority must name."""

    @property
    def address_list(self) -> tuple[str, ...]:
        """``host:port`` of its managers; empty: it dials in."""


def is_direct(row: Row) -> bool:
    """Return whether a neighbor has a direct link, or may still send over one."""
    return row.may_send_over(NAME)

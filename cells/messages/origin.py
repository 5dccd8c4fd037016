"""Origin: the link over which messages have come, and the check that their last hop may use it.

A route is written by its sender.  A driver that authenticates its links knows the neighbor; of the others, only the
name of the driver is known, and a neighbor with another driver must not be spoken for.
"""

from __future__ import annotations

from typing import NamedTuple

from cells import exceptions
from cells.neighbors import Neighbors


class Origin(NamedTuple):
    """Over which link messages have come."""

    #: the name of the driver; empty: not known, and not checked
    driver: str = ""
    #: the neighbor, if the driver knows it
    neighbor: str = ""

    def check(self, sender: str, neighbors: Neighbors) -> None:
        """Check that a cell may send over this link.

        :param sender: the last hop of the message
        :raises cells.exceptions.WrongLink: the link belongs to another neighbor, or the sender's row names another
            driver
        """
        if self.neighbor and sender != self.neighbor:
            raise exceptions.WrongLink(
                f"Cell {self.neighbor} sent a message that names {sender} as its last hop: a cell speaks for itself "
                "alone.",
                cell=self.neighbor,
            )
        row = neighbors.get(sender)
        if self.driver and row is not None and not row.may_send_over(self.driver):
            raise exceptions.WrongLink(
                f"A message of cell {sender} came over the driver {self.driver}, but its link has the driver "
                f"{row.driver}: during a migration, 'cells neighbor set {sender} --also-accept {self.driver}' "
                "accepts both.",
                cell=sender,
            )


UNKNOWN_ORIGIN = Origin()

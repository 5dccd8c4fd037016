"""Siblings: which other managers of this cell have connections to which managers of the neighbors.

Each manager tells its connections when they change and every :data:`INTERVAL_SECONDS`.  A manager that is silent for
three intervals does not count any more.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field

from cells.drivers.siblings import Links

INTERVAL_SECONDS = 10.0
_LIFE_SECONDS = 3 * INTERVAL_SECONDS


@dataclass(eq=False)
class _Told:
    incarnation: str
    #: neighbor -> hosts of its managers
    links: dict[str, frozenset[str]] = field(default_factory=dict)
    expires_at: float = math.inf


class Siblings:
    """Not thread-safe, except for :attr:`hosts`."""

    def __init__(self, own_host: str) -> None:
        self._own_host = own_host
        self._told: dict[str, _Told] = {}
        #: the other managers, sorted; empty in a cell with one manager
        self.hosts: tuple[str, ...] = ()

    def hear(self, host: str, incarnation: str, links: Links | None, now: float) -> bool:
        """Take the connections of a manager; return whether it has started since it was heard last.

        :param links: None: it stops
        """
        if links is None:
            # The end of an older process of that host may come late.
            if host in self._told and self._told[host].incarnation == incarnation:
                self._remove(host)
            return False
        known = self._told.get(host)
        told = {neighbor: frozenset(hosts) for neighbor, hosts in links.items()}
        self._told[host] = _Told(incarnation, told, now + _LIFE_SECONDS)
        self.hosts = tuple(sorted(self._told))
        return known is None or known.incarnation != incarnation

    def expire(self, now: float) -> None:
        """Forget the managers that have been silent for too long."""
        for host in [host for host, told in self._told.items() if told.expires_at <= now]:
            self._remove(host)

    def forget(self, host: str, neighbor: str) -> None:
        """Take note that a manager has no connection to a neighbor, until it tells again that it has one."""
        told = self._told.get(host)
        if told is not None and neighbor in told.links:
            told.links[neighbor] = frozenset()

    def through(self, neighbor: str) -> tuple[str, ...]:
        """Return the managers that have a connection to a neighbor."""
        return tuple(host for host in self.hosts if self._told[host].links.get(neighbor))

    def reached(self, neighbor: str) -> frozenset[str]:
        """Return the managers of a neighbor to which any of the managers has a connection."""
        return frozenset().union(*(told.links.get(neighbor, ()) for told in self._told.values()))

    def choose(self, neighbor: str) -> str:
        """Return the manager that sends the messages for a neighbor; empty: none can.

        It is the same one each time, so that the messages keep their order; other neighbors, and other managers that
        ask, get others.
        """
        found = self.through(neighbor)
        return found[zlib.crc32(f"{self._own_host} {neighbor}".encode()) % len(found)] if found else ""

    def recipients(self, neighbor: str, sender: str) -> tuple[str, ...]:
        """Return the managers that need a copy of a fan-out which has come here.

        :param sender: the manager of the neighbor that has sent it: it has sent a copy over each of its connections.
            One of the managers that got one hands it to the managers without a connection to the sender
        """
        connected = {host for host, told in self._told.items() if sender in told.links.get(neighbor, ())}
        if any(host < self._own_host for host in connected):
            return ()
        return tuple(host for host in self.hosts if host not in connected and neighbor in self._told[host].links)

    def _remove(self, host: str) -> None:
        del self._told[host]
        self.hosts = tuple(sorted(self._told))

"""Doorkeeper: the connections that peers have opened and that have not shown yet whose they are.

Anybody can open a connection, and stay silent or send a byte now and then.  So these connections are few, and the one
that has been silent for the longest time makes room for a new one, or else the one that has taken the longest time.
"""

from __future__ import annotations

import resource

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.connection import Connection

#: A connection that has sent something within this time is not closed for another one.
SILENT_SECONDS = 0.3
#: A connection that is younger is not closed for another one, if it sends something.
SLOW_SECONDS = 1.0
#: The part of the file descriptors of the process that these connections may have.
_SHARE = 4


def affordable(max_connections: int) -> int:
    """Return so many connections, or fewer if the process may not open many files: its other work needs them."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max_connections if limit == resource.RLIM_INFINITY else max(1, min(max_connections, limit // _SHARE))


class Doorkeeper:
    """Only the loop of the listener adds connections."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        #: when each was accepted, the oldest first
        self._connections: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def has_room(self) -> bool:
        """Return whether another connection may come; if not, close one that is slow.  On the thread of the loop."""
        connections = list(self._connections.items())
        if len(connections) < self._max_connections:
            return True
        silent = min((connection for connection, _ in connections), key=lambda connection: connection.heard_at)
        oldest, accepted_at = connections[0]
        now = oldest.loop.now()
        if now - silent.heard_at >= SILENT_SECONDS:
            self._close(silent, "is silent")
        elif now - accepted_at >= SLOW_SECONDS:
            self._close(oldest, "is slow")
        else:
            return False
        return True

    def _close(self, connection: Connection, fault: str) -> None:
        self.remove(connection)
        error: exceptions.CellsError = errors.HelloTimeout(
            f"{connection.address} {fault}, and {self._max_connections} connections wait for the end of their "
            "handshake."
        )
        connection.loop.call(lambda: connection.drop(error))

    def add(self, connection: Connection) -> None:
        self._connections[connection] = connection.loop.now()

    def remove(self, connection: Connection) -> None:
        """Take note that a connection is open or closed.  Thread-safe."""
        self._connections.pop(connection, None)

    def all(self) -> list[Connection]:
        return list(self._connections)

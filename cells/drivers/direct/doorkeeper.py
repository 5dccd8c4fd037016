"""Doorkeeper: the connections that peers have opened and that have not shown yet whose they are.

Anybody can open a connection and stay silent.  So these connections are few, and the one that has been silent for the
longest time makes room for a new one.
"""

from __future__ import annotations

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.connection import Connection

#: A connection that has sent something within this time is not closed for another one.
SILENT_SECONDS = 0.3


class Doorkeeper:
    """Only the loop of the listener adds connections."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._connections: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def has_room(self) -> bool:
        """Return whether another connection may come; if not, close one that is silent.  On the thread of the loop."""
        if len(self._connections) < self._max_connections:
            return True
        oldest = min(list(self._connections), key=lambda connection: connection.heard_at)
        if oldest.loop.now() - oldest.heard_at < SILENT_SECONDS:
            return False
        self.remove(oldest)
        error: exceptions.CellsError = errors.HelloTimeout(
            f"{oldest.address} is silent, and {self._max_connections} connections wait for the end of their handshake."
        )
        oldest.loop.call(lambda: oldest.drop(error))
        return True

    def add(self, connection: Connection) -> None:
        self._connections[connection] = None

    def remove(self, connection: Connection) -> None:
        """Take note that a connection is open or closed.  Thread-safe."""
        self._connections.pop(connection, None)

    def all(self) -> list[Connection]:
        return list(self._connections)

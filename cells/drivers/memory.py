"""A driver for trees of cells in one process: tests, examples, first steps.

Cells are addressed by ``memory://BUS/CELL``.  Everything but the broker is
real: each message is JSON text, each type has a thread of its own, a neighbour
that is not started can not be reached.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import defaultdict
from concurrent import futures

from cells import exceptions
from cells.drivers.base import BaseCellsDriver, DriverSettings, OnMessage, Outgoing, Target

LOG = logging.getLogger(__name__)


class _Server:
    """The threads of one manager."""

    def __init__(self, message_types: tuple[str, ...], on_message: OnMessage) -> None:
        self._on_message = on_message
        self._pools = {
            message_type: futures.ThreadPoolExecutor(1, f"cells-memory-{message_type}")
            for message_type in message_types
        }

    def take(self, message_type: str, text: str) -> None:
        self._pools[message_type].submit(self._on_message, text)

    def stop(self) -> None:
        for pool in self._pools.values():
            pool.shutdown()


class _Exchange:
    """Who listens under which URL in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, list[_Server]] = defaultdict(list)
        self._turns = itertools.count()

    def join(self, url: str, server: _Server) -> None:
        with self._lock:
            self._servers[url].append(server)

    def leave(self, url: str, server: _Server) -> None:
        with self._lock:
            self._servers[url].remove(server)
            if not self._servers[url]:
                del self._servers[url]

    def receivers(self, url: str, *, fanout: bool) -> list[_Server]:
        """All managers of the cell, or the one whose turn it is."""
        with self._lock:
            servers = list(self._servers.get(url, ()))
        return servers if fanout or not servers else [servers[next(self._turns) % len(servers)]]


_EXCHANGE = _Exchange()


class MemoryDriver(BaseCellsDriver):
    """Hands messages to the managers of other cells in the same process."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._server: _Server | None = None

    def start_servers(self, on_message: OnMessage) -> None:
        self._server = _Server(self._settings.message_types, on_message)
        _EXCHANGE.join(self._url, self._server)

    def stop_servers(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            _EXCHANGE.leave(self._url, server)
            server.stop()

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        text = message.to_json()
        receivers = _EXCHANGE.receivers(cell.transport_url, fanout=message.fanout)
        if not receivers:
            raise exceptions.NeighborUnreachable(
                f"No manager of cell {cell.name} runs in this process under its URL.", cell=cell.name
            )
        for server in receivers:
            try:
                server.take(message.message_type, text)
            except RuntimeError as error:
                raise exceptions.NeighborUnreachable(f"Cell {cell.name} is shutting down.", cell=cell.name) from error

    def close_link(self, cell: Target) -> None:
        """Nothing is open toward a neighbour."""

    def close(self) -> None:
        """Nothing is open toward a neighbour."""

    @property
    def _url(self) -> str:
        return self._settings.transport_url or ""

"""A driver for trees of cells in one process: tests, examples, first steps.

The address of a cell is the text of its ``[DEFAULT] transport_url``:
``memory://BUS/CELL`` if only the manager uses it, the URL of an oslo.messaging transport
if services of the cell use it too.  Everything but the broker is real:
each message is JSON text, each type has its own thread, a neighbor that is
not started is unreachable.  :mod:`cells.testing` puts a :class:`Wire` between two cells.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from cells import exceptions
from cells.drivers.base import BaseCellsDriver, DriverSettings, OnMessage, Outgoing, Target

LOG = logging.getLogger(__name__)


class _Consumer:
    """Queue and thread for the messages of one type to one manager."""

    def __init__(self, message_type: str, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._lock = threading.Lock()
        self._is_stopped = False
        #: ends with None
        self._received: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._consume, name=f"cells-memory-{message_type}", daemon=True)
        self._thread.start()

    def take(self, received: object) -> bool:
        """Queue a message; return False if the manager has stopped."""
        with self._lock:
            if not self._is_stopped:
                self._received.put(received)
            return not self._is_stopped

    def _consume(self) -> None:
        while True:
            received = self._received.get()
            if received is None:
                return
            try:
                self._on_message(received)
            except BaseException:  # a bug must cost one message, not the thread, whatever it raises
                LOG.exception("A message could not be processed.")
            del received  # an idle thread must not keep a large message in memory

    def stop(self) -> None:
        """Accept no more messages; return when all queued messages are processed."""
        with self._lock:
            self._is_stopped = True
            self._received.put(None)
        self._thread.join()


class _Server:
    """The consumers of one manager."""

    def __init__(self, name: str, message_types: tuple[str, ...], on_message: OnMessage) -> None:
        self.name = name
        self._consumers = {message_type: _Consumer(message_type, on_message) for message_type in message_types}

    def take(self, message_type: str, received: object) -> bool:
        """Queue a message; return False if the manager has stopped."""
        return self._consumers[message_type].take(received)

    def stop(self) -> None:
        for consumer in self._consumers.values():
            consumer.stop()


class Wire(Protocol):
    """The connection from a cell to a neighbor, where a test replaces the direct one."""

    def carry(self, cell: Target, deliver: Callable[[], None]) -> None:
        """Carry one message.  Called on the sending thread of the link, in the order of the messages.

        Must not block.  The link counts the message as sent when this returns.

        :param deliver: delivers the message to the neighbor: at any time, from any thread, any number of times.  Does
            not block; raises NeighborUnreachable if the neighbor has stopped
        :raises cells.exceptions.DeliveryError: the message was not sent
        """


class _Exchange:
    """The managers of this process by URL, and the wires between their cells.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, list[_Server]] = defaultdict(list)
        self._wires: dict[tuple[str, str], Wire] = {}
        self._turns = itertools.count()

    def join(self, url: str, server: _Server) -> None:
        with self._lock:
            self._servers[url].append(server)

    def leave(self, url: str, server: _Server) -> None:
        with self._lock:
            self._servers[url].remove(server)
            if not self._servers[url]:
                del self._servers[url]

    def receivers(self, url: str, *, fanout: bool, name: str) -> list[_Server]:
        """Return all managers of the cell, the manager ``name``, or the next manager in turn."""
        with self._lock:
            servers = [server for server in self._servers.get(url, ()) if name in ("", server.name)]
        return servers if fanout or not servers else [servers[next(self._turns) % len(servers)]]

    def lay(self, sender_url: str, receiver_url: str, wire: Wire | None) -> None:
        with self._lock:
            if wire is None:
                self._wires.pop((sender_url, receiver_url), None)
            else:
                self._wires[sender_url, receiver_url] = wire

    def wire(self, sender_url: str, receiver_url: str) -> Wire | None:
        return self._wires.get((sender_url, receiver_url))


_EXCHANGE = _Exchange()


def lay_wire(sender_url: str, receiver_url: str, wire: Wire | None) -> None:
    """Let ``wire`` carry the messages from one cell to another; None: deliver them directly again."""
    _EXCHANGE.lay(sender_url, receiver_url, wire)


class MemoryDriver(BaseCellsDriver):
    """Driver that delivers to the managers of other cells in the same process."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._server: _Server | None = None

    def start_servers(self, on_message: OnMessage) -> None:
        self._server = _Server(self._settings.host, self._settings.message_types, on_message)
        _EXCHANGE.join(self._url, self._server)

    def stop_servers(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            _EXCHANGE.leave(self._url, server)
            server.stop()

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        self._send(cell, message, message.to_json())

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        if _EXCHANGE.wire(self._url, cell.transport_url) is None:
            self._send(cell, messages[0], [_copy(message) for message in messages])
            return
        # A wire carries messages one by one, so that each can have its own fault.
        for message in messages:
            self._send(cell, message, [_copy(message)])

    def _send(self, cell: Target, message: Outgoing, received: object) -> None:
        wire = _EXCHANGE.wire(self._url, cell.transport_url)
        deliver = functools.partial(_deliver, cell, message.message_type, received, message.fanout, message.server)
        if wire is None:
            deliver()
        else:
            wire.carry(cell, deliver)

    def close_link(self, cell: Target) -> None:
        """Do nothing: there are no connections."""

    def close(self) -> None:
        """Do nothing: there are no connections."""

    @property
    def _url(self) -> str:
        return self._settings.transport_url or ""


def _copy(message: Outgoing) -> object:
    """Return the object that the receiver gets after encoding and decoding."""
    return json.loads(json.dumps(message.to_item()))


def _deliver(cell: Target, message_type: str, received: object, fanout: bool, name: str) -> None:
    receivers = _EXCHANGE.receivers(cell.transport_url, fanout=fanout, name=name)
    if not receivers and name and _EXCHANGE.receivers(cell.transport_url, fanout=True, name=""):
        raise exceptions.ManagerGone(f"The manager {name} of cell {cell.name} is gone.", cell=cell.name)
    if not receivers:
        raise exceptions.NeighborUnreachable(
            f"No manager of cell {cell.name} runs in this process under its URL.", cell=cell.name
        )
    for server in receivers:
        if not server.take(message_type, received):
            raise exceptions.NeighborUnreachable(f"Cell {cell.name} is shutting down.", cell=cell.name)

"""Receivers: the received messages until they are handed on, by one thread at a time for each class.

The thread that has read messages hands them on, unless another thread does so for the same class.  If that takes long,
another thread reads (:mod:`cells.drivers.direct.loop`): so a request that is handed on slowly delays no response, and a
loop has at most five threads.  The messages are bounded by the credit of their senders, which a message keeps until it
is handed on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from cells.drivers.direct.connection import Connection
from cells.drivers.direct.events import Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.loop import Loop
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Takes a received message: the neighbor's name, the class, the payload, and the seconds since the sender accepted it.
#: Messages of one class come one at a time, those of one manager in their order.  Blocks for at most a fraction of a
#: second.
OnMessage = Callable[[str, MessageClass, bytes, float], object]


class Link(Protocol):
    """The part of a link that receivers call."""

    name: str

    def release(self, connection: Connection, received: Received) -> None:
        """Return the credit of messages."""


class _Item(NamedTuple):
    link: Link
    connection: Connection
    received: Received
    received_at: float


class _Lane:
    """The messages of one class, and the right to hand them on."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.lock = threading.Lock()


class Receivers:
    """The received messages of all links, until they are handed on."""

    def __init__(self, on_message: OnMessage, runtime: Runtime) -> None:
        self._on_message = on_message
        self._clock = runtime.clock
        self._lanes = tuple(_Lane() for _ in MessageClass)

    def put(self, link: Link, connection: Connection, received: Received) -> None:
        """Take messages, which :meth:`serve` hands on.  Never blocks."""
        self._lanes[received.message_class].items.append(_Item(link, connection, received, self._clock()))

    def serve(self, loop: Loop) -> None:
        """Hand the messages on that no other thread does, on the thread that leads the loop."""
        if any(lane.items for lane in self._lanes):
            turn = loop.leave()
            try:
                for lane in self._lanes:
                    self._empty(lane)
            finally:
                loop.come_back(turn)

    def stop(self, timeout_seconds: float) -> None:
        """Wait until all messages are handed on, for at most so long.  The loops still run."""
        until = self._clock() + timeout_seconds
        for lane in self._lanes:
            if lane.lock.acquire(timeout=max(0.0, until - self._clock())):
                lane.lock.release()
                self._empty(lane)

    def _empty(self, lane: _Lane) -> None:
        # The second check finds messages that came while another thread was about to release the lock.
        while lane.items and lane.lock.acquire(blocking=False):
            try:
                while lane.items:
                    self._hand_on(lane.items.popleft())
            finally:
                lane.lock.release()

    def _hand_on(self, item: _Item) -> None:
        link, connection, received, received_at = item
        for payload, age in zip(received.payloads, received.ages, strict=True):
            try:
                self._on_message(link.name, received.message_class, payload, age + self._clock() - received_at)
            except BaseException:  # a bug must cost one message, not the thread, whatever it raises
                LOG.exception("A message of cell %s could not be handed on.", link.name)
        link.release(connection, received)

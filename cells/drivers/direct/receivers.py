"""Receivers: the threads that hand received messages on, one for each class.

So a request that is handed on slowly delays no response, and no loop ever waits.  Their queues are bounded by the
credit of the senders, which a message keeps until it is handed on.
"""

from __future__ import annotations

import functools
import logging
import queue
from collections.abc import Callable
from typing import NamedTuple, Protocol

from cells.drivers.direct.connection import Connection
from cells.drivers.direct.events import Received
from cells.drivers.direct.frames import MessageClass
from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

#: Takes a received message: the neighbor's name, the class, the payload, and the seconds since the sender accepted it.
#: Messages of one class come on one thread, those of one manager in their order.  Blocks for at most a fraction of a
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


class Receivers:
    """Three threads."""

    def __init__(self, on_message: OnMessage, runtime: Runtime) -> None:
        self._on_message = on_message
        self._clock = runtime.clock
        self._spawn = runtime.spawn
        #: None ends the thread
        self._queues: tuple[queue.SimpleQueue[_Item | None], ...] = tuple(queue.SimpleQueue() for _ in MessageClass)
        self._threads: list[Thread] = []

    def start(self) -> None:
        """:raises RuntimeError: the system has no thread left"""
        for message_class in MessageClass:
            name = f"cells-direct-{message_class.name.lower()}"
            self._threads.append(self._spawn(functools.partial(self._run, message_class), name))

    def put(self, link: Link, connection: Connection, received: Received) -> None:
        """Hand messages on, soon.  Never blocks."""
        self._queues[received.message_class].put(_Item(link, connection, received, self._clock()))

    def stop(self, timeout_seconds: float) -> None:
        """Hand the messages on that have been received, and end.  May be called twice."""
        deadline = self._clock() + timeout_seconds
        for waiting in self._queues:
            waiting.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))

    def _run(self, message_class: MessageClass) -> None:
        waiting = self._queues[message_class]
        while True:
            item = waiting.get()
            if item is None:
                return
            link, connection, received, received_at = item
            for payload, age in zip(received.payloads, received.ages, strict=True):
                try:
                    self._on_message(link.name, message_class, payload, age + self._clock() - received_at)
                except BaseException:  # a bug must cost one message, not the thread, whatever it raises
                    LOG.exception("A message of cell %s could not be handed on.", link.name)
            link.release(connection, received)
            del item, received, payload  # an idle thread must not keep a large message alive

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
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cells.drivers.direct.connection import Connection
from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.events import Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.loop import Loop
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Takes messages of one class and manager: the neighbor's name, the class, the payloads, the seconds since the sender
#: accepted the first one, and the host of the sender.  Messages of one class come in one call at a time, those of one
#: manager in their order.  Blocks for at most a fraction of a second.
OnMessages = Callable[[str, MessageClass, Sequence[bytes], float, str], object]

#: Frames that wait are handed on together, up to so many messages: a call for each costs three times the work.
_TOGETHER = 256
#: They count as old as the first one, so the others are younger by at most so many seconds.
_SPAN_SECONDS = 0.01


class Link(Protocol):
    """The part of a link that receivers call."""

    name: str

    def release(self, connection: Connection, received: Received) -> None:
        """Return the credit of messages."""


class _Item(NamedTuple):
    link: Link
    connection: Connection
    received: Received
    #: when the sender accepted the first message
    since: float
    casts: int


class _Lane:
    """The messages of one class, and the right to hand them on."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.lock = threading.Lock()


class Receivers:
    """The received messages of all links, until they are handed on."""

    def __init__(self, on_messages: OnMessages, custody: CastCustody, runtime: Runtime) -> None:
        self._on_messages = on_messages
        self._custody = custody
        self._clock = runtime.clock
        self._lanes = tuple(_Lane() for _ in MessageClass)

    def put(self, link: Link, connection: Connection, received: Received) -> None:
        """Take messages, which :meth:`serve` hands on.  Never blocks.  The caller holds the lock of the link."""
        casts = self._custody.begin(received.message_class, received.payloads)
        since = self._clock() - max(received.ages, default=0.0)
        self._lanes[received.message_class].items.append(_Item(link, connection, received, since, casts))
        if casts and connection.session is not None:
            # The sender of a call waits for the answer alone.
            connection.session.acknowledge_soon()

    def serve(self, loop: Loop) -> None:
        """Hand the messages on that no other thread does, on the thread that leads the loop."""
        waiting = [lane for lane in self._lanes if lane.items]
        if waiting:
            turn = loop.leave()
            try:
                for lane in waiting:
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
                    self._hand_on(_take(lane.items))
            finally:
                lane.lock.release()

    def _hand_on(self, item: _Item) -> None:
        link, connection, received, since, casts = item
        age = self._clock() - since
        peer = None if connection.session is None else connection.session.peer
        host = "" if peer is None else peer.host
        try:
            self._on_messages(link.name, received.message_class, received.payloads, age, host)
        except BaseException:  # a bug must cost these messages, not the thread, whatever it raises
            LOG.exception("%d messages of cell %s could not be handed on.", len(received.payloads), link.name)
        self._custody.end(casts)
        link.release(connection, received)


def _take(items: deque[_Item]) -> _Item:
    """Remove the first item, and those behind it that can be handed on with it; return them as one."""
    first = items.popleft()
    if not items or not _is_joined(first, items[0]):
        return first
    together, count = [first], len(first.received.payloads)
    while items and _is_joined(first, items[0]) and count + len(items[0].received.payloads) <= _TOGETHER:
        together.append(items.popleft())
        count += len(together[-1].received.payloads)
    received = first.received._replace(
        payloads=[payload for item in together for payload in item.received.payloads],
        ages=[age for item in together for age in item.received.ages],
        charge=sum([item.received.charge for item in together]),
    )
    since, casts = min([item.since for item in together]), sum([item.casts for item in together])
    return first._replace(received=received, since=since, casts=casts)


def _is_joined(first: _Item, item: _Item) -> bool:
    return item.connection is first.connection and abs(item.since - first.since) <= _SPAN_SECONDS

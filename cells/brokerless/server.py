"""Server: the receiving side of a process, with its listening sockets and the listeners of each key.

One thread reads all sockets and hands each message to its listener, because listeners take a
message without blocking.  If a listener does block, another thread replaces the reader.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from cells.brokerless import frames, routing_keys
from cells.brokerless.authenticator import NEIGHBOR
from cells.brokerless.inbox import Inbox
from cells.brokerless.malformed import MalformedMessages
from cells.brokerless.neighbor_topics import NeighborTopics
from cells.brokerless.router_socket import Received, RouterSocket

LOG = logging.getLogger(__name__)

#: Pool of a request for one listener in each pool of this process.
ALL_POOLS = "*"
NO_LISTENER = "nobody serves it there"  # compared by senders of other releases: part of the protocol
FULL = "its queue is full"
OUT_OF_REACH = "the key of a neighbor does not reach this topic there ([oslo_messaging_zmq] neighbor_topics)"
#: Safety net: the reader checks for messages at least this often.
POLL_INTERVAL_SECONDS = 1.0
#: Maximum number of messages read from one socket before the next socket gets its turn.
MESSAGES_PER_TURN = 100
#: Time limit of close() for a listener that blocks the reader.
STOP_SECONDS = 5.0
#: A listener that keeps the reader for this long is considered blocked.
STUCK_SECONDS = 0.2


class Delivery(NamedTuple):
    """A request in the inbox of a listener, with the return path to its sender."""

    request: frames.Request
    peer: bytes
    socket: RouterSocket

    def answer(self, kind: bytes, body: bytes = b"") -> bool:
        """Answer the request, from any thread; return False if the sender is gone."""
        return self.socket.send(self.peer, frames.Answer(kind, self.request.message_id, body).to_frames())


class Server:
    """Reader of bound sockets.  Thread-safe."""

    def __init__(self, sockets: Sequence[RouterSocket], neighbor_topics: NeighborTopics | None = None) -> None:
        """:param neighbor_topics: the topics that peers of other cells reach; by default all"""
        self._neighbor_topics = neighbor_topics
        self._sockets = list(sockets)
        self._lock = threading.Lock()
        #: key -> pool -> the inboxes that share its messages
        self._routes: dict[str, dict[str, tuple[Inbox[Delivery], ...]]] = {}
        self._turn = 0
        self._malformed = MalformedMessages()
        self._stopped = threading.Event()
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        #: held while a message is read and queued
        self._reading = threading.Lock()
        #: start of the reader's work on the current message; None while the reader is idle
        self._busy_since: float | None = None
        #: inboxes with the current message; some may not have been run yet
        self._receivers: Sequence[Inbox[Delivery]] = ()
        #: a cast that was accepted but not yet confirmed to its sender
        self._unconfirmed: Delivery | None = None
        self._reader = self._new_reader()
        self._watch = threading.Thread(target=self._replace_stuck_reader, name="zmq-watch", daemon=True)

    def _new_reader(self) -> threading.Thread:
        return threading.Thread(target=self._read, name="zmq-reader", daemon=True)

    def start(self) -> None:
        """Read until :meth:`close`."""
        self._reader.start()
        self._watch.start()

    def add(self, key: str, inbox: Inbox[Delivery], pool: str = "") -> bool:
        """Give ``inbox`` a share of the messages for ``key``; return True if it is the first inbox there."""
        with self._lock:
            pools = dict(self._routes.get(key, {}))
            before = pools.get(pool, ())
            pools[pool] = (*before, inbox)
            self._routes[key] = pools
            return not before

    def remove(self, key: str, inbox: Inbox[Delivery], pool: str = "") -> bool:
        """Give ``inbox`` no more messages; return True if it was the last inbox there."""
        with self._lock:
            pools = dict(self._routes.get(key, {}))
            before = pools.pop(pool, ())
            left = tuple(other for other in before if other is not inbox)
            if left:
                pools[pool] = left
            self._routes[key] = pools
            if not pools:
                del self._routes[key]
            return bool(before) and not left

    def close(self) -> None:
        """Stop reading and close the sockets after the queued answers have left.  Blocks for STOP_SECONDS at most."""
        if not self._stopped.is_set():
            self._stopped.set()
            os.eventfd_write(self._stop_fd, 1)
            self._watch.join()
            if self._reader is not threading.current_thread():
                # A reader that stays blocked for longer does not touch the sockets when it returns.
                self._reader.join(STOP_SECONDS)
            for socket in self._sockets:
                socket.close()
            os.close(self._stop_fd)

    def _read(self) -> None:
        """Read and handle messages until stopped or replaced."""
        poller = select.poll()
        poller.register(self._stop_fd, select.POLLIN)
        for socket in self._sockets:
            poller.register(socket.ready_fd, select.POLLIN)
            poller.register(socket.wake_fd, select.POLLIN)
        woken = {socket.wake_fd for socket in self._sockets}
        for inbox in self._receivers:  # inboxes that the replaced reader has not run
            inbox.run()
        while True:
            # Before the first poll too: the replaced reader may have consumed the readiness of a socket.
            while sum(map(self._read_some, self._sockets)):  # not any(): each socket gets its turn
                pass
            if not self._is_reader():
                # A replaced reader must not consume events of the new reader, nor of later users of the descriptors.
                return
            for descriptor, _ in poller.poll(POLL_INTERVAL_SECONDS * 1000):
                if descriptor in woken:
                    with contextlib.suppress(BlockingIOError):
                        os.eventfd_read(descriptor)

    def _is_reader(self) -> bool:
        return not self._stopped.is_set() and self._reader is threading.current_thread()

    def _read_some(self, socket: RouterSocket) -> bool:
        """Handle up to MESSAGES_PER_TURN messages, then let the next socket go; return False if no message is left."""
        return all(self._read_one(socket) for _ in range(MESSAGES_PER_TURN))

    def _read_one(self, socket: RouterSocket) -> bool:
        """Handle one message; return False if there is no message, or this thread is no longer the reader."""
        with self._reading:
            # Under the lock, so that messages are queued in the order of reading.
            if not self._is_reader():
                return False
            received = socket.receive()
            if received is None:
                self._busy_since, self._receivers = None, ()
                return False
            self._busy_since = time.monotonic()
            try:
                request = frames.read_request(received.frames)
            except frames.MalformedFrames as error:
                self._malformed.count(error)
                return True
            delivery = Delivery(request, received.peer, socket)
            inboxes, refusal = self._deliver(delivery) if self._may_send(received, request) else ([], OUT_OF_REACH)
            self._receivers = inboxes
            self._unconfirmed = delivery if request.kind == frames.CAST and refusal is None else None
        if refusal is not None:
            delivery.answer(frames.REFUSED, refusal.encode())
        del received, request, delivery  # a listener may block this thread for long: do not keep the message alive
        for inbox in inboxes:
            inbox.run()
        self._confirm()
        return True

    def _confirm(self) -> None:
        """Confirm an accepted cast to its sender.  Called after the listener has run, which is more urgent."""
        with self._reading:
            delivery, self._unconfirmed = self._unconfirmed, None
        if delivery is not None:
            delivery.answer(frames.ACCEPTED)

    def _replace_stuck_reader(self) -> None:
        """Start a new reader when a listener blocks the current reader."""
        while not self._stopped.wait(STUCK_SECONDS):
            busy_since = self._busy_since
            if busy_since is not None and time.monotonic() - busy_since > STUCK_SECONDS:
                with self._reading:
                    if self._busy_since != busy_since:
                        continue
                    self._busy_since = time.monotonic()
                    self._reader = self._new_reader()
                self._confirm()
                self._reader.start()

    def _may_send(self, received: Received, request: frames.Request) -> bool:
        if self._neighbor_topics is None or received.user_id != NEIGHBOR:
            return True
        return self._neighbor_topics.include(request.key)

    def _deliver(self, delivery: Delivery) -> tuple[list[Inbox[Delivery]], str | None]:
        """Put the delivery into inboxes; return them, or the reason for the refusal."""
        request = delivery.request
        pools = self._routes.get(routing_keys.without_fanout(request.key), {})
        groups = list(pools.values()) if request.pool == ALL_POOLS else [pools.get(request.pool, ())]
        if routing_keys.is_fanout(request.key):
            groups = [(inbox,) for group in groups for inbox in group]
        if not any(groups):
            return [], NO_LISTENER
        self._turn += 1
        size_bytes = len(request.body)
        # If one of several listeners cannot take its copy, only that listener loses it, as on every fan-out.
        takers = [_put_into_one(group, self._turn, delivery, size_bytes) for group in groups]
        inboxes = [taker for taker in takers if taker is not None]
        return inboxes, None if inboxes else FULL


def _put_into_one(
    group: Sequence[Inbox[Delivery]], turn: int, delivery: Delivery, size_bytes: int
) -> Inbox[Delivery] | None:
    """Put the delivery into the next inbox in turn that has room; return that inbox."""
    in_turn = (group[(turn + step) % len(group)] for step in range(len(group)))
    return next((inbox for inbox in in_turn if inbox.put(delivery, size_bytes)), None)

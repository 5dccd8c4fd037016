"""The receiving end of a process: its listening sockets, and who in it serves what.

One thread reads all sockets, and lets the listener of each message take it then and
there, since listeners take a message without waiting.  If one does wait, another
thread goes on reading for the others.
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
from cells.brokerless.frames import Answer, Request
from cells.brokerless.inbox import Inbox
from cells.brokerless.malformed import MalformedMessages
from cells.brokerless.router_socket import RouterSocket

LOG = logging.getLogger(__name__)

#: Pool of a request that is for one listener in each pool of this process.
ALL_POOLS = "*"
NO_LISTENER = "nobody serves it there"
FULL = "its queue is full"
#: A safety net: the reader looks for messages at least this often.
POLL_INTERVAL_SECONDS = 1.0
#: So many messages are read from one socket before another one is looked at.
MESSAGES_PER_TURN = 100
#: How long closing waits for a listener that keeps the reader.
STOP_SECONDS = 5.0
#: A listener that keeps the reader for so long waits for something.
STUCK_SECONDS = 0.2


class Delivery(NamedTuple):
    """A request in the inbox of a listener, and the way back to who sent it."""

    request: Request
    peer: bytes
    socket: RouterSocket

    def answer(self, kind: bytes, body: bytes = b"") -> bool:
        """Answer it, from any thread; False if the sender is gone."""
        return self.socket.send(self.peer, Answer(kind, self.request.message_id, body).to_frames())


class Server:
    """Listens on sockets that are bound already.  Thread-safe."""

    def __init__(self, sockets: Sequence[RouterSocket]) -> None:
        self._sockets = list(sockets)
        self._lock = threading.Lock()
        #: key -> pool -> the inboxes that share its messages
        self._routes: dict[str, dict[str, tuple[Inbox[Delivery], ...]]] = {}
        self._turn = 0
        self._malformed = MalformedMessages()
        self._stopped = threading.Event()
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        #: held to read a message and to queue it
        self._reading = threading.Lock()
        #: since when the reader is at its present message, None while it has none
        self._busy_since: float | None = None
        #: who has the present message; one of several may not have been asked to handle it yet
        self._receivers: Sequence[Inbox[Delivery]] = ()
        #: a cast that was accepted, whose sender does not know it yet
        self._unconfirmed: Delivery | None = None
        self._reader = self._new_reader()
        self._watch = threading.Thread(target=self._replace_stuck_reader, name="zmq-watch", daemon=True)

    def _new_reader(self) -> threading.Thread:
        return threading.Thread(target=self._read, name="zmq-reader", daemon=True)

    def start(self) -> None:
        """Read, until :meth:`close`."""
        self._reader.start()
        self._watch.start()

    def add(self, key: str, inbox: Inbox[Delivery], pool: str = "") -> bool:
        """Give ``inbox`` its share of the messages for ``key``; True if it is the first there."""
        with self._lock:
            pools = dict(self._routes.get(key, {}))
            before = pools.get(pool, ())
            pools[pool] = (*before, inbox)
            self._routes[key] = pools
            return not before

    def remove(self, key: str, inbox: Inbox[Delivery], pool: str = "") -> bool:
        """Give it no more of them; True if nobody is left there."""
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
        """Stop reading and close the sockets, once the answers that are under way have left.  Bounded."""
        if not self._stopped.is_set():
            self._stopped.set()
            os.eventfd_write(self._stop_fd, 1)
            self._watch.join()
            if self._reader is not threading.current_thread():
                # One that waits in a listener for longer touches no socket when it comes back.
                self._reader.join(STOP_SECONDS)
            for socket in self._sockets:
                socket.close()
            os.close(self._stop_fd)

    def _read(self) -> None:
        """Read and handle, until stopped or replaced."""
        poller = select.poll()
        poller.register(self._stop_fd, select.POLLIN)
        for socket in self._sockets:
            poller.register(socket.ready_fd, select.POLLIN)
            poller.register(socket.wake_fd, select.POLLIN)
        woken = {socket.wake_fd for socket in self._sockets}
        for inbox in self._receivers:  # those that the one before did not get to
            inbox.run()
        while True:
            # Before the first wait too: who was replaced may have taken the sign that there is more to read.
            while sum(map(self._read_some, self._sockets)):  # not any(): each is asked
                pass
            if not self._is_reader():
                # Who was replaced takes no sign from who reads now, nor from who has these descriptors after the end.
                return
            for descriptor, _ in poller.poll(POLL_INTERVAL_SECONDS * 1000):
                if descriptor in woken:
                    with contextlib.suppress(BlockingIOError):
                        os.eventfd_read(descriptor)

    def _is_reader(self) -> bool:
        return not self._stopped.is_set() and self._reader is threading.current_thread()

    def _read_some(self, socket: RouterSocket) -> bool:
        """Handle what has come, and not more than a few: the other socket waits. False if that was all."""
        return all(self._read_one(socket) for _ in range(MESSAGES_PER_TURN))

    def _read_one(self, socket: RouterSocket) -> bool:
        """Handle one message; False if there is none, or it is not this thread's turn any more."""
        with self._reading:
            # Under the lock, so that messages are queued in the order in which they were read.
            if not self._is_reader():
                return False
            received = socket.receive()
            if received is None:
                self._busy_since, self._receivers = None, ()
                return False
            self._busy_since = time.monotonic()
            try:
                request = frames.read_request(received[1:])
            except frames.MalformedFrames as error:
                self._malformed.count(error)
                return True
            delivery = Delivery(request, received[0], socket)
            inboxes, refusal = self._deliver(delivery)
            self._receivers = inboxes
            self._unconfirmed = delivery if request.kind == frames.CAST and refusal is None else None
        if refusal is not None:
            delivery.answer(frames.REFUSED, refusal.encode())
        del received, request, delivery  # a listener may keep this thread for long, but not the message
        for inbox in inboxes:
            inbox.run()
        self._confirm()
        return True

    def _confirm(self) -> None:
        """Tell the sender of a cast that it was accepted: after the listener has had it, because that is urgent."""
        with self._reading:
            delivery, self._unconfirmed = self._unconfirmed, None
        if delivery is not None:
            delivery.answer(frames.ACCEPTED)

    def _replace_stuck_reader(self) -> None:
        """Have somebody else read when a listener keeps the reader for too long."""
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

    def _deliver(self, delivery: Delivery) -> tuple[list[Inbox[Delivery]], str | None]:
        """Put it where it belongs: into which inboxes, or why into none."""
        request = delivery.request
        pools = self._routes.get(routing_keys.without_fanout(request.key), {})
        groups = list(pools.values()) if request.pool == ALL_POOLS else [pools.get(request.pool, ())]
        if routing_keys.is_fanout(request.key):
            groups = [(inbox,) for group in groups for inbox in group]
        if not any(groups):
            return [], NO_LISTENER
        self._turn += 1
        size_bytes = len(request.body)
        # A copy that one of several cannot take is lost to it alone, as on every fan-out.
        takers = [_put_into_one(group, self._turn, delivery, size_bytes) for group in groups]
        inboxes = [taker for taker in takers if taker is not None]
        return inboxes, None if inboxes else FULL


def _put_into_one(
    group: Sequence[Inbox[Delivery]], turn: int, delivery: Delivery, size_bytes: int
) -> Inbox[Delivery] | None:
    """Give it to the listener whose turn it is, or to the next one that has room."""
    for step in range(len(group)):
        inbox = group[(turn + step) % len(group)]
        if inbox.put(delivery, size_bytes):
            return inbox
    return None

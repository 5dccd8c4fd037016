"""The receiving end of a process: its listening sockets, and who in it serves what.

One thread reads all sockets and puts each message into the inbox of a listener; it
never waits for anything.  Listeners have threads of their own, so one
that is busy keeps nobody else from getting its messages.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import zmq

from cells.brokerless import frames, routing_keys
from cells.brokerless.frames import Answer, Request
from cells.brokerless.inbox import Inbox
from cells.brokerless.router_socket import RouterSocket

LOG = logging.getLogger(__name__)

#: Pool of a request that is for one listener in each pool of this process.
ALL_POOLS = "*"
NOBODY = "nobody serves it there"
FULL = "its queue is full"
#: A safety net: the reader looks for messages at least this often.
LOOK_SECONDS = 1.0
GARBAGE_LOG_SECONDS = 10.0


class Delivery(NamedTuple):
    """A request in the inbox of a listener, and the way back to who sent it."""

    request: Request
    peer: bytes
    socket: RouterSocket

    def answer(self, kind: bytes, body: bytes = b"") -> bool:
        """Answer it, from any thread; False if the sender is gone."""
        return self.socket.send(self.peer, Answer(kind, self.request.message_id, body).to_frames())


Listeners = Sequence[Inbox[Delivery]]


class Server:
    """Listens on sockets that are bound already.  Thread-safe."""

    def __init__(self, sockets: Sequence[RouterSocket]) -> None:
        self._sockets = list(sockets)
        self._lock = threading.Lock()
        #: key -> pool -> the inboxes that share its messages
        self._routes: dict[str, dict[str, tuple[Inbox[Delivery], ...]]] = {}
        self._turn = 0
        self._garbage = 0
        self._garbage_logged_at = -GARBAGE_LOG_SECONDS
        self._is_stopped = False
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="zmq-server", daemon=True)

    def start(self) -> None:
        """Read, until :meth:`close`."""
        self._thread.start()

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
        """Stop reading and close the sockets, once the answers that are under way have left."""
        if not self._is_stopped:
            self._is_stopped = True
            os.eventfd_write(self._stop_fd, 1)
            self._thread.join()
            for socket in self._sockets:
                socket.close()
            os.close(self._stop_fd)

    def _read(self) -> None:
        poller = select.poll()
        poller.register(self._stop_fd, select.POLLIN)
        for socket in self._sockets:
            poller.register(socket.ready_fd, select.POLLIN)
            poller.register(socket.wake_fd, select.POLLIN)
        woken = {socket.wake_fd for socket in self._sockets}
        while not self._is_stopped:
            for descriptor, _ in poller.poll(LOOK_SECONDS * 1000):
                if descriptor in woken:
                    os.eventfd_read(descriptor)
            for socket in self._sockets:
                self._drain(socket)

    def _drain(self, socket: RouterSocket) -> None:
        while not self._is_stopped:
            try:
                received = socket.receive()
            except zmq.ZMQError as error:
                LOG.warning("A socket could not be read: %s", error)
                return
            if received is None:
                return
            self._take(socket, received)

    def _take(self, socket: RouterSocket, received: list[bytes]) -> None:
        try:
            request = frames.read_request(received[1:])
        except frames.MalformedFrames as error:
            self._count_garbage(error)
            return
        delivery = Delivery(request, received[0], socket)
        refusal = self._deliver(delivery)
        if refusal is not None:
            delivery.answer(frames.REFUSED, refusal.encode())
        elif request.kind == frames.CAST:
            delivery.answer(frames.ACCEPTED)

    def _deliver(self, delivery: Delivery) -> str | None:
        """Put it where it belongs; why that is impossible, None if it was possible."""
        request = delivery.request
        pools = self._routes.get(routing_keys.without_fanout(request.key), {})
        groups = list(pools.values()) if request.pool == ALL_POOLS else [pools.get(request.pool, ())]
        if routing_keys.is_fanout(request.key):
            groups = [(inbox,) for group in groups for inbox in group]
        if not any(groups):
            return NOBODY
        self._turn += 1
        size_bytes = len(request.body)
        # A copy that one of several can not take is lost to it alone, as on every fan-out.
        taken = [_put_into_one(group, self._turn, delivery, size_bytes) for group in groups]
        return None if any(taken) else FULL

    def _count_garbage(self, error: Exception) -> None:
        self._garbage += 1
        now = time.monotonic()
        if now - self._garbage_logged_at >= GARBAGE_LOG_SECONDS:
            self._garbage_logged_at = now
            LOG.warning(
                "Messages that can not be understood are dropped, %d so far; the last: %s", self._garbage, error
            )


def _put_into_one(group: Listeners, turn: int, delivery: Delivery, size_bytes: int) -> bool:
    """Give it to the listener whose turn it is, or to the next one that has room."""
    return any(group[(turn + step) % len(group)].put(delivery, size_bytes) for step in range(len(group)))

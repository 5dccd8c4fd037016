"""Connections to serving processes, each used by one thread at a time.

A thread that waits for an answer waits in ZeroMQ itself: nobody has to wake it up,
which is what makes a call fast.  The price is a connection for each call that is
under way at the same time.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import zmq

from cells.brokerless import addresses
from cells.brokerless.router_socket import detect_dead_peers

#: How often a thread that waits for an answer looks whether the other side is still there.
LIVENESS_CHECK_SECONDS = 0.25
#: A connection that was not needed for so long is closed.
IDLE_SECONDS = 60.0

#: Prepares a new socket for one endpoint: keys and options, before it connects.
Prepare = Callable[["zmq.Socket[bytes]", str], None]


class PeerUnreachable(Exception):
    """Raised when there is no connection: nothing was sent."""


class NotAttempted(PeerUnreachable):
    """Raised when the reason is on this side, and nothing is known of the other."""


class ConnectionsInUse(NotAttempted):
    """Raised when as many connections are in use as there may be."""


class ConnectionLost(Exception):
    """Raised when a connection ended before the answer came."""


class Connection:
    """One socket of type DEALER, connected to one endpoint."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, prepare: Prepare, timeout: float
    ) -> None:
        """:raises PeerUnreachable: nobody listens, or who listens does not want us"""
        deadline = time.monotonic() + timeout
        _check_listener(endpoint, timeout)
        try:
            self._socket = context.socket(zmq.DEALER)
        except zmq.ZMQError as error:  # this process has too many files open
            raise NotAttempted(f"no socket can be made ({error})") from None
        self.used_at = time.monotonic()
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            # Without a connection nothing can be sent: so it is not lost in a queue either.
            self._socket.setsockopt(zmq.IMMEDIATE, 1)
            # A connection that is lost is not of use any more, because the answer went with it.
            self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
            self._socket.setsockopt(zmq.IPV6, 1)
            detect_dead_peers(self._socket)
            self._socket.setsockopt(zmq.RCVTIMEO, int(LIVENESS_CHECK_SECONDS * 1000))
            prepare(self._socket, endpoint)
            self._socket.connect(endpoint)
            left = max(0.01, deadline - time.monotonic())
            is_connected = bool(self._socket.poll(int(left * 1000), zmq.POLLOUT))
        except zmq.ZMQError as error:
            self.close()
            raise PeerUnreachable(str(error)) from None
        except BaseException:
            self.close()
            raise
        if not is_connected:
            self.close()
            raise PeerUnreachable("it does not speak this protocol, or does not know our key, or we not its")

    def is_open(self) -> bool:
        """Whether the other side is still there, as far as is known."""
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def send(self, frames: Sequence[bytes]) -> None:
        """:raises PeerUnreachable: it is gone, and has not got the message"""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise PeerUnreachable(f"the connection is gone ({error})") from None

    def receive(self, deadline: float) -> list[bytes] | None:
        """The next message; None if the deadline, a time of ``time.monotonic``, passes first.

        What has come already is read even after it.

        :raises ConnectionLost: none will ever come
        """
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                if left < LIVENESS_CHECK_SECONDS:
                    return self._socket.recv_multipart() if self._socket.poll(int(left * 1000) + 1) else None
                return self._socket.recv_multipart()
            except zmq.Again:
                if not self.is_open():
                    raise ConnectionLost from None

    def close(self) -> None:
        self._socket.close()


class Connections:
    """The connections of one transport, by endpoint.  Thread-safe."""

    def __init__(self, prepare: Prepare, max_per_endpoint: int, connect_timeout_seconds: float) -> None:
        self._prepare = prepare
        self._max_per_endpoint = max_per_endpoint
        self._connect_timeout_seconds = connect_timeout_seconds
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._lock = threading.Lock()
        self._idle: dict[str, deque[Connection]] = {}
        self._slots: dict[str, threading.BoundedSemaphore] = {}
        self._in_use = 0
        self._swept_at = time.monotonic()
        self._is_closed = False

    @contextlib.contextmanager
    def borrow(self, endpoint: str, deadline: float, slot_deadline: float | None = None) -> Iterator[Connection]:
        """A connection for the block.  It is kept for the next user if the block ends without an error.

        :param slot_deadline: until when to wait for a free place, if not until the deadline
        :raises ConnectionsInUse: there is no free place by then
        :raises PeerUnreachable: there is no connection before the deadline
        """
        slots = self._slots_of(endpoint)
        slot_deadline = deadline if slot_deadline is None else slot_deadline
        if not slots.acquire(timeout=max(0.0, slot_deadline - time.monotonic())):
            self._leave()
            raise ConnectionsInUse(f"all {self._max_per_endpoint} connections are in use")
        try:
            connection = self._take(endpoint, deadline)
            try:
                yield connection
            except BaseException:
                # An answer may still come on it, which would be the wrong one for the next user.
                connection.close()
                raise
            self._give_back(endpoint, connection)
        finally:
            slots.release()
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._in_use -= 1
            is_last = self._is_closed and not self._in_use
        if is_last:
            self._end_context()

    def _slots_of(self, endpoint: str) -> threading.BoundedSemaphore:
        with self._lock:
            if self._is_closed:
                raise NotAttempted("this transport was closed")
            if self._context is None:
                self._context = zmq.Context()
                # The library's own bound of 1,023 is for all endpoints together.
                self._context.set(zmq.MAX_SOCKETS, self._context.get(zmq.SOCKET_LIMIT))
            if endpoint not in self._slots:
                self._slots[endpoint] = threading.BoundedSemaphore(self._max_per_endpoint)
                self._idle[endpoint] = deque()
            self._in_use += 1
            return self._slots[endpoint]

    def _take(self, endpoint: str, deadline: float) -> Connection:
        while True:
            with self._lock:
                idle = self._idle.get(endpoint)
                connection = idle.pop() if idle else None
            if connection is None:
                break
            if connection.is_open():
                return connection
            connection.close()
        if self._is_closed or self._context is None:
            raise NotAttempted("this transport was closed")
        left = max(0.01, min(self._connect_timeout_seconds, deadline - time.monotonic()))
        return Connection(self._context, endpoint, self._prepare, left)

    def _give_back(self, endpoint: str, connection: Connection) -> None:
        connection.used_at = time.monotonic()
        unused: list[Connection] = []
        with self._lock:
            idle = self._idle.get(endpoint)
            if self._is_closed or idle is None:
                unused.append(connection)
            else:
                # The one that was used last is used next, so that those below it become old.
                idle.append(connection)
                if connection.used_at - self._swept_at > IDLE_SECONDS:
                    unused = self._sweep(connection.used_at)
        for one in unused:
            one.close()

    def _sweep(self, now: float) -> list[Connection]:
        """Take out what is old, wherever it leads: a server that was restarted is not asked for by that name again."""
        self._swept_at = now
        unused = []
        for idle in self._idle.values():
            while idle and now - idle[0].used_at > IDLE_SECONDS:
                unused.append(idle.popleft())
        return unused

    def close(self) -> None:
        """Close what is idle now, and what is in use when its user is done.  May be called twice."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, {}
            is_last = not self._in_use
        for connections in idle.values():
            for connection in connections:
                connection.close()
        if is_last:
            self._end_context()

    def _end_context(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            context.term()


def _check_listener(endpoint: str, timeout_seconds: float) -> None:
    """See that somebody listens: ZeroMQ itself would go on trying without a word.

    :raises PeerUnreachable: nobody does, and why
    """
    try:
        if endpoint.startswith(addresses.IPC):
            with sockets.socket(sockets.AF_UNIX) as probe:
                probe.settimeout(timeout_seconds)
                probe.connect(endpoint.removeprefix(addresses.IPC))
        else:
            sockets.create_connection(addresses.split_tcp(endpoint), timeout_seconds).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        raise PeerUnreachable(getattr(error, "strerror", None) or str(error)) from None

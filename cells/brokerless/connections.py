"""Connections to serving processes, each used by one thread at a time.

A thread that waits for an answer blocks in ZeroMQ itself, so that no other thread has to
wake it up: this makes a call fast.  The price is one connection for each call in flight.
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

#: Interval at which a thread that waits for an answer checks that the peer is still connected.
LIVENESS_CHECK_SECONDS = 0.25
#: A connection that was idle for this long is closed.
IDLE_SECONDS = 60.0

#: Sets keys and options of a new socket before the socket connects to the endpoint.
Prepare = Callable[["zmq.Socket[bytes]", str], None]


class PeerUnreachable(Exception):
    """Raised when no connection exists: the message was not sent."""


class NoServer(PeerUnreachable):
    """Raised when no process listens there, in contrast to a process that does not answer."""


class NotAttempted(PeerUnreachable):
    """Raised when the reason is local to this process and says nothing about the peer."""


class ConnectionsInUse(NotAttempted):
    """Raised when the maximum number of connections is in use."""


class ConnectionLost(Exception):
    """Raised when a connection ended before the answer arrived."""


class Connection:
    """One DEALER socket, connected to one endpoint."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, prepare: Prepare, timeout: float
    ) -> None:
        """:raises PeerUnreachable: no process listens at ``endpoint``, or the process refuses this cell's key"""
        deadline = time.monotonic() + timeout
        _check_listener(endpoint, timeout)
        try:
            self._socket = context.socket(zmq.DEALER)
        except zmq.ZMQError as error:  # too many open files in this process
            raise NotAttempted(f"this process cannot open a socket ({error})") from None
        self.used_at = time.monotonic()
        with contextlib.ExitStack() as undo_on_failure:
            undo_on_failure.callback(self.close)
            try:
                self._socket.setsockopt(zmq.LINGER, 0)
                # Without a connection send fails, so that no message is lost in a queue of the socket.
                self._socket.setsockopt(zmq.IMMEDIATE, 1)
                # Do not reconnect: the answer was lost with the connection.
                self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
                self._socket.setsockopt(zmq.IPV6, 1)
                detect_dead_peers(self._socket)
                self._socket.setsockopt(zmq.RCVTIMEO, int(LIVENESS_CHECK_SECONDS * 1000))
                prepare(self._socket, endpoint)
                self._socket.connect(endpoint)
                left = max(0.01, deadline - time.monotonic())
                is_connected = bool(self._socket.poll(int(left * 1000), zmq.POLLOUT))
            except zmq.ZMQError as error:
                raise PeerUnreachable(str(error)) from None
            if not is_connected:
                raise PeerUnreachable("the handshake failed: another protocol, or an end without the other end's key")
            undo_on_failure.pop_all()

    def is_open(self) -> bool:
        """Return whether the peer is still connected, as far as ZeroMQ knows."""
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def send(self, frames: Sequence[bytes]) -> None:
        """:raises PeerUnreachable: the connection has ended, and the peer has not received the message"""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise PeerUnreachable(f"the connection has ended ({error})") from None

    def receive(self, deadline: float) -> list[bytes] | None:
        """Return the next message, None after ``deadline``, a time of ``time.monotonic``.

        A message that has already arrived is returned even after the deadline.

        :raises ConnectionLost: the connection has ended, and no message will arrive
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
    def borrow(self, endpoint: str, deadline: float, slot_by: float | None = None) -> Iterator[Connection]:
        """Yield a connection for the block, and keep the connection for reuse if the block raises nothing.

        :param slot_by: how long to wait for a free slot; None: until ``deadline``
        :raises ConnectionsInUse: no slot was free until ``slot_by``
        :raises PeerUnreachable: no connection could be made before ``deadline``
        """
        slots = self._slots_of(endpoint)
        slot_by = deadline if slot_by is None else slot_by
        if not slots.acquire(timeout=max(0.0, slot_by - time.monotonic())):
            self._leave()
            raise ConnectionsInUse(f"all {self._max_per_endpoint} connections are in use")
        try:
            connection = self._take(endpoint, deadline)
            try:
                yield connection
            except BaseException:
                # The answer may still arrive, and would be the wrong one for the next user.
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
                # The default limit of 1,023 sockets is for all endpoints together.
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
                # Last in, first out: connections that are not needed become old and are closed.
                idle.append(connection)
                if connection.used_at - self._swept_at > IDLE_SECONDS:
                    unused = self._sweep(connection.used_at)
        for old in unused:
            old.close()

    def _sweep(self, now: float) -> list[Connection]:
        """Take out old connections to all endpoints: a restarted server has a new endpoint, so no borrow finds them."""
        self._swept_at = now
        unused = []
        for idle in self._idle.values():
            while idle and now - idle[0].used_at > IDLE_SECONDS:
                unused.append(idle.popleft())
        return unused

    def close(self) -> None:
        """Close idle connections now, and each connection in use when its user returns it.  May be called twice."""
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
    """Check that a process listens at ``endpoint``: ZeroMQ itself would retry silently.

    :raises NoServer: no process listens
    :raises PeerUnreachable: another problem; the text says which
    """
    try:
        if endpoint.startswith(addresses.IPC):
            with sockets.socket(sockets.AF_UNIX) as probe:
                probe.settimeout(timeout_seconds)
                probe.connect(endpoint.removeprefix(addresses.IPC))
        else:
            sockets.create_connection(addresses.split_tcp(endpoint), timeout_seconds).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: the host name is not valid
        kind = NoServer if isinstance(error, (ConnectionRefusedError, FileNotFoundError)) else PeerUnreachable
        raise kind(getattr(error, "strerror", None) or str(error)) from None

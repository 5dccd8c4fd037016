"""RouterSocket: a listening socket that one thread reads and on which any thread may answer.

A ZeroMQ socket belongs to one thread at a time.  The lock here hands it from thread to
thread, so that the thread with the answer sends it without waiting for the reader.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import zmq

#: Limit of queued answers for a peer that does not read; further answers are dropped.
ANSWERS_PER_PEER = 100
#: How much longer a frame may be than a message body: the frame may be a header, or encrypted.
FRAME_BYTES = 4096
#: Time limit for sending queued answers when the socket closes.
LINGER_MS = 1000
#: When its connection ends, a peer drops received messages that it has not read: give it this long to read.
READ_SECONDS = 0.05
#: After this time without a TCP acknowledgement, the system ends the connection to a vanished machine.
TCP_SILENCE_MS = 15000
TCP_KEEPALIVE_SECONDS = 5
#: ZeroMQ heartbeats detect a hanging process. A large message on a slow link delays heartbeats, so allow a minute.
HEARTBEAT_MS = 5000
HEARTBEAT_TIMEOUT_MS = 60000
#: A peer that has not finished its handshake by then is disconnected: until then it occupies a file descriptor.
HANDSHAKE_MS = 3000


def detect_dead_peers(socket: zmq.Socket[bytes]) -> None:
    """Set options of ``socket`` that end connections to vanished machines and hanging processes."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.TCP_MAXRT, TCP_SILENCE_MS)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, TCP_KEEPALIVE_SECONDS)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, TCP_KEEPALIVE_SECONDS)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, TCP_SILENCE_MS // 1000 // TCP_KEEPALIVE_SECONDS)


class Received(NamedTuple):
    """A message, the identity of its sender on this socket, and the user ID that the authenticator gave the sender."""

    peer: bytes
    frames: list[bytes]
    user_id: str = ""


class RouterSocket:
    """One bound ROUTER socket."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], max_message_bytes: int, *, is_authenticated: bool = False
    ) -> None:
        """:param is_authenticated: whether an authenticator gives each peer a user ID"""
        self._is_authenticated = is_authenticated
        self._lock = threading.Lock()
        self._answered_at = float("-inf")
        #: eventfd, written when a sending thread notices input for the reader
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            # The last step that can fail: an unclosed socket would block the end of the context forever.
            self.socket = context.socket(zmq.ROUTER)
        except zmq.ZMQError:
            os.close(self.wake_fd)
            raise
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.SNDHWM, ANSWERS_PER_PEER)
        self.socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes + FRAME_BYTES)
        self.socket.setsockopt(zmq.LINGER, LINGER_MS)
        detect_dead_peers(self.socket)
        self.socket.setsockopt(zmq.IPV6, 1)

    @property
    def ready_fd(self) -> int:
        """The descriptor that is readable when input MAY exist; then call :meth:`receive` until it returns None."""
        return int(self.socket.getsockopt(zmq.FD))

    def receive(self) -> Received | None:
        """Return the next message; None if there is no message."""
        with self._lock:
            # Check first: the error EAGAIN costs as much as a message.
            if not self._has_input():
                return None
            try:
                return self._receive()
            except zmq.Again:
                return None

    def _receive(self) -> Received:
        if not self._is_authenticated:
            peer, *frames = self.socket.recv_multipart(zmq.NOBLOCK)
            return Received(peer, frames)
        # Only frames that are not copied have properties, and they take longer.
        first, *others = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        user_id = str(others[0].get("User-Id")) if others else ""
        return Received(first.bytes, [frame.bytes for frame in others], user_id)

    def _has_input(self) -> bool:
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def send(self, peer: bytes, frames: Sequence[bytes]) -> bool:
        """Answer ``peer``; return False if the peer is gone or does not read."""
        with self._lock:
            if self.socket.closed:
                return False
            try:
                self.socket.send_multipart([peer, *frames], zmq.NOBLOCK)
            except zmq.ZMQError:  # EHOSTUNREACH: the peer is gone; EAGAIN: the peer's queue of answers is full
                return False
            else:
                self._answered_at = time.monotonic()
                return True
            finally:
                # Even a failed send processes incoming events, and so clears the readiness of ready_fd, for which the
                # reader waits.
                if self._has_input():
                    os.eventfd_write(self.wake_fd, 1)

    def close(self) -> None:
        """Close the socket after the peers had time to read the last answer; the reader must have ended."""
        time.sleep(max(0.0, self._answered_at + READ_SECONDS - time.monotonic()))
        with self._lock:
            if not self.socket.closed:
                self.socket.close()
                os.close(self.wake_fd)

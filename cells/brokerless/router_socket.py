"""A listening socket that one thread reads and any thread may answer on.

A socket of ZeroMQ belongs to one thread at a time.  The lock here hands it from
thread to thread, so that an answer leaves on the thread that made it instead of
waiting for the reader to wake up.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

import zmq

#: Answers that may wait for a peer that does not read them; further ones are dropped.
ANSWERS_PER_PEER = 100
#: A frame may be so much longer than the body of a message: it is a header, or encrypted.
FRAME_BYTES = 4096
#: What is sent in the moment of closing may take this long to leave.
LINGER_MS = 1000
#: A peer that sees its connection end drops what it has received and not yet read, so it gets that long to read it.
READ_SECONDS = 0.05
#: A machine that vanished is noticed by the system, which repeats what nobody confirms for so long.
TCP_SILENCE_MS = 15000
TCP_KEEPALIVE_SECONDS = 5
#: One that is there and hangs is noticed by its silence. A large message on a slow link is silence too.
HEARTBEAT_MS = 5000
HEARTBEAT_TIMEOUT_MS = 60000


def detect_dead_peers(socket: zmq.Socket[bytes]) -> None:
    """Have ``socket`` end its connections to machines and processes that are not there any more."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.TCP_MAXRT, TCP_SILENCE_MS)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, TCP_KEEPALIVE_SECONDS)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, TCP_KEEPALIVE_SECONDS)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, TCP_SILENCE_MS // 1000 // TCP_KEEPALIVE_SECONDS)


class RouterSocket:
    """One bound socket of type ROUTER."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], max_message_bytes: int) -> None:
        self._lock = threading.Lock()
        self._answered_at = float("-inf")
        #: written to when a sender has seen that there is something to read
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            # Last of what can fail: a socket that nobody closes would keep the context from ending, for ever.
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
        """Becomes readable when something MAY have come; everything has to be read then."""
        return int(self.socket.getsockopt(zmq.FD))

    def receive(self) -> list[bytes] | None:
        """The next message, its sender first; None if there is none."""
        with self._lock:
            # Asked first, because an error that says "nothing" costs as much as a message.
            if not self._has_input():
                return None
            try:
                return self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None

    def _has_input(self) -> bool:
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def send(self, peer: bytes, frames: Sequence[bytes]) -> bool:
        """Answer ``peer``; False if it is gone, or does not read."""
        with self._lock:
            if self.socket.closed:
                return False
            try:
                self.socket.send_multipart([peer, *frames], zmq.NOBLOCK)
            except zmq.ZMQError:  # EHOSTUNREACH: it is gone; EAGAIN: it has let too many answers wait
                return False
            else:
                self._answered_at = time.monotonic()
                return True
            finally:
                # Sending looks at what has come, too, even if it fails, and takes the sign of it that the reader
                # waits for.
                if self._has_input():
                    os.eventfd_write(self.wake_fd, 1)

    def close(self) -> None:
        """Close the socket, when its last answer can have been read; the reader must have ended."""
        time.sleep(max(0.0, self._answered_at + READ_SECONDS - time.monotonic()))
        with self._lock:
            if not self.socket.closed:
                self.socket.close()
                os.close(self.wake_fd)

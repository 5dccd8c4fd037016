"""A small serving process, and a client that can send anything."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import zmq

from cells.brokerless import frames
from cells.brokerless.addresses import Address
from cells.brokerless.bound_server import BindSpec, BoundServer
from cells.brokerless.frames import Answer, Request
from cells.brokerless.inbox import DirectInbox, PolledInbox
from cells.brokerless.server import Delivery

WAIT_SECONDS = 10.0
MAX_MESSAGE_BYTES = 100_000


class ServingProcess:
    """A process that clients can reach: a socket in a directory, and the listeners behind it."""

    def __init__(self, directory: Path) -> None:
        self._bound_server = BoundServer(BindSpec(str(id(self)), MAX_MESSAGE_BYTES, directory=directory))
        self._is_closed = False
        self.server = self._bound_server.server
        self.address = self._bound_server.address
        (self.endpoint,) = self.address.endpoints

    def in_pool(self, pool: str) -> Address:
        """Return the address of a notification listener in ``pool``."""
        return Address(self.address.endpoints, pool)

    def queue(self, key: str, pool: str = "", max_messages: int = 1000) -> PolledInbox[Delivery]:
        """Serve ``key`` with an inbox from which the test takes messages."""
        inbox: PolledInbox[Delivery] = PolledInbox(max_messages, 10 * MAX_MESSAGE_BYTES)
        self.server.add(key, inbox, pool)
        return inbox

    def handle(self, key: str, handler: Callable[[Delivery], object]) -> DirectInbox[Delivery]:
        """Serve ``key`` on the reader's thread."""
        inbox: DirectInbox[Delivery] = DirectInbox(1000, 10 * MAX_MESSAGE_BYTES)

        def handle(delivery: Delivery) -> None:
            inbox.done(len(delivery.request.body))
            handler(delivery)

        inbox.start(handle)
        self.server.add(key, inbox)
        return inbox

    def echo(self, key: str) -> None:
        """Answer each call with its body."""
        self.handle(key, lambda delivery: delivery.answer(frames.REPLY, delivery.request.body))

    def close(self) -> None:
        """Stop, as a process does.  May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            self._bound_server.close()


class RawClient:
    """A socket that sends its input unchanged."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDTIMEO, int(WAIT_SECONDS * 1000))
        self.socket.connect(endpoint)
        self._numbers = itertools.count(1)

    def send(self, parts: Sequence[bytes]) -> None:
        self.socket.send_multipart(parts)

    def request(self, key: str, body: bytes = b"{}", *, kind: bytes = frames.CALL, pool: str = "") -> bytes:
        """Send a request, and return its ID."""
        message_id = b"%d" % next(self._numbers)
        self.send(Request(kind, message_id, key, pool, body).to_frames())
        return message_id

    def answer(self, seconds: float = WAIT_SECONDS) -> Answer:
        """Return the next answer."""
        assert self.socket.poll(int(seconds * 1000)), "No answer arrived"
        return frames.read_answer(self.socket.recv_multipart())

    def ask(self, key: str, body: bytes = b"{}", *, kind: bytes = frames.CALL, pool: str = "") -> tuple[bytes, bytes]:
        """Send a request and wait for its answer; return kind and body."""
        message_id = self.request(key, body, kind=kind, pool=pool)
        while (answer := self.answer()).message_id != message_id:
            pass
        return answer.kind, answer.body


def taken(inbox: PolledInbox[Delivery]) -> bytes:
    """Return the body of the next message in an inbox."""
    delivery = inbox.take(WAIT_SECONDS)
    assert delivery is not None, "No message arrived"
    inbox.done(len(delivery.request.body))
    return delivery.request.body


def on_thread(work: Callable[[], object]) -> threading.Thread:
    """Run ``work`` on a daemon thread, so that a blocked thread does not keep the test run from ending."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread, seconds: float = WAIT_SECONDS) -> bool:
    """Return whether the thread ends in time."""
    thread.join(seconds)
    return not thread.is_alive()


#: Types of the fixtures ``connect`` and ``start_process``.
Connect = Callable[[str], RawClient]
Start = Callable[[], ServingProcess]

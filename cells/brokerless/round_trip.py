"""One request on one connection: send it, and wait for the answer that ends it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import oslo_messaging

from cells.brokerless import frames
from cells.brokerless.connections import Connection, ConnectionLost
from cells.brokerless.frames import Answer, Request
from cells.brokerless.server import NO_LISTENER


class ServerLost(oslo_messaging.MessagingTimeout):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised when the process that had a message is gone: its answer will never arrive."""


class DeliveryUnknown(oslo_messaging.MessageDeliveryFailure):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised when a cast may have arrived: sending it again could deliver it twice."""

    @property
    def is_server_lost(self) -> bool:
        """Whether the connection to the process is lost, in contrast to a timeout."""
        return isinstance(self.__cause__, ServerLost)


class Undeliverable(
    oslo_messaging.MessageUndeliverable,  # type: ignore[misc]  # oslo.messaging has no types
    oslo_messaging.MessageDeliveryFailure,  # type: ignore[misc]
):
    """Raised when no server exists for a mandatory message (``TransportOptions(at_least_once=True)``).

    The first class is the one that oslo.messaging documents; callers that only know this transport catch the second.
    """

    def __init__(self, text: str, key: str) -> None:
        """:param key: of the message"""
        oslo_messaging.MessageUndeliverable.__init__(self, text, "", key, None)

    def __str__(self) -> str:
        return str(self.exception)


class Refused(Exception):
    """Raised when a process refuses a message; the text says why."""

    @property
    def has_no_listener(self) -> bool:
        """Whether the process has no listener for the key, in contrast to a full queue."""
        return str(self) == NO_LISTENER


@dataclass(frozen=True)
class Outgoing:
    """A message to send, and the limits for its delivery."""

    kind: bytes  #: frames.CALL or frames.CAST
    key: str
    body: bytes
    retry: int | None = None  #: retries; None or negative: until the deadline
    pool: str | None = None  #: the only pool of listeners that gets the message
    is_mandatory: bool = False  #: whether a missing server is the error :class:`Undeliverable`
    monitor_seconds: float | None = None  #: maximum time between two signs of life of a call's server


def send(connection: Connection, message: Outgoing, pool: str) -> Request:
    """Send ``message`` and return the request that was sent.

    :param pool: the pool of the listener at the other end
    :raises cells.brokerless.connections.PeerUnreachable: the message has certainly not arrived
    """
    request = Request(message.kind, uuid.uuid4().hex.encode(), message.key, pool, message.body)
    connection.send(request.to_frames())
    return request


def receive(connection: Connection, request: Request, deadline: float, monitor_seconds: float | None = None) -> Answer:
    """Return the answer that ends ``request``: accepted, refused, a reply or a failure.

    :param deadline: a time of ``time.monotonic``
    :raises ServerLost: the connection is lost
    :raises oslo_messaging.MessagingTimeout: the deadline has passed, or the server was silent for ``monitor_seconds``
    """
    silence = deadline
    while True:
        if monitor_seconds is not None:
            silence = min(deadline, time.monotonic() + monitor_seconds)
        answer = _next_answer(connection, silence)
        if answer is None:
            reason = "No sign of life from the server" if silence < deadline else "No answer"
            raise oslo_messaging.MessagingTimeout(f"{reason} in time, message {request.message_id.decode()}.")
        if answer.message_id == request.message_id and answer.kind != frames.WORKING:
            return answer


def raise_if_refused(answer: Answer) -> None:
    """:raises Refused: ``answer`` says that no listener has taken the message"""
    if answer.kind == frames.REFUSED:
        raise Refused(answer.body.decode(errors="replace"))


def _next_answer(connection: Connection, deadline: float) -> Answer | None:
    try:
        received = connection.receive(deadline)
    except ConnectionLost:
        raise ServerLost("The process that had the message has stopped or was restarted.") from None
    try:
        return None if received is None else frames.read_answer(received)
    except frames.MalformedFrames as error:
        raise ServerLost(f"The peer does not speak this protocol: {error}") from None

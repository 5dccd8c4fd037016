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
    """Raised when the process that had a message is gone: its answer will not come, in any time."""


class DeliveryUnknown(oslo_messaging.MessageDeliveryFailure):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised when a cast may have arrived, or not: sending it again could deliver it twice."""

    @property
    def is_server_lost(self) -> bool:
        """Whether the process that may have it is gone, in contrast to being silent."""
        return isinstance(self.__cause__, ServerLost)


class Refused(Exception):
    """Raised when a process says that it has not taken a message, and why."""

    @property
    def has_no_listener(self) -> bool:
        """Whether nothing in that process serves the key, in contrast to being busy."""
        return str(self) == NO_LISTENER


@dataclass(frozen=True)
class Outgoing:
    """A message, and for how long its sender tries."""

    kind: bytes  #: frames.CALL or frames.CAST
    key: str
    body: bytes
    retry: int | None = None  #: further attempts; None or less than 0: as many as the time allows
    pool: str | None = None  #: the one pool of listeners that shall get it
    monitor_seconds: float | None = None  #: how long the server of a call may be silent


def send(connection: Connection, message: Outgoing, pool: str) -> Request:
    """Send it.

    :param pool: the pool of whom the connection leads to
    :raises cells.brokerless.connections.PeerUnreachable: it has surely not arrived
    """
    request = Request(message.kind, uuid.uuid4().hex.encode(), message.key, pool, message.body)
    connection.send(request.to_frames())
    return request


def wait_for_answer(
    connection: Connection, request: Request, deadline: float, monitor_seconds: float | None = None
) -> Answer:
    """Return the answer that ends ``request``: accepted, refused, a reply or a failure.

    :param deadline: a time of ``time.monotonic``
    :raises ServerLost: the connection is lost
    :raises oslo_messaging.MessagingTimeout: the deadline has passed, or the server was silent for too long
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
    """:raises Refused: the answer says that nobody has taken the message"""
    if answer.kind == frames.REFUSED:
        raise Refused(answer.body.decode(errors="replace"))


def _next_answer(connection: Connection, deadline: float) -> Answer | None:
    try:
        received = connection.receive(deadline)
    except ConnectionLost:
        raise ServerLost("The process that had the message is gone, or was restarted.") from None
    try:
        return None if received is None else frames.read_answer(received)
    except frames.MalformedFrames as error:
        raise ServerLost(f"The other side does not speak this protocol: {error}") from None

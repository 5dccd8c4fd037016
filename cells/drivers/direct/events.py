"""What happened on a connection: sessions return these to the driver, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cells.drivers.direct.errors import ConnectionEnded
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello

#: Identifies a message to the driver that sends it; the protocol does not read it.
Key = Any


class Connected(NamedTuple):
    """The peer has answered the hello: messages can be sent."""

    hello: Hello


class Received(NamedTuple):
    """Messages of one class, in order.  The driver returns their credit with ``Session.release``."""

    message_class: MessageClass
    payloads: Sequence[bytes]
    #: for each message, the seconds since the peer accepted it for sending
    ages: Sequence[float]
    #: bytes of credit that these messages took
    charge: int


class Acknowledged(NamedTuple):
    """The peer has taken these messages."""

    keys: Sequence[Key]


class NotSent(NamedTuple):
    """The peer has not taken these messages and never will: the driver may send them again, in this order."""

    message_class: MessageClass
    keys: Sequence[Key]


class MayHaveArrived(NamedTuple):
    """It is unknown whether the peer has taken these messages: they must not be sent again."""

    keys: Sequence[Key]


class Ended(NamedTuple):
    """The connection has to be closed after ``bytes_to_send`` was written.  The last event of a session."""

    error: ConnectionEnded


Event = Connected | Received | Acknowledged | NotSent | MayHaveArrived | Ended

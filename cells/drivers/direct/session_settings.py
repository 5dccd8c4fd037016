"""Limits of one connection that the peer need not know."""

from __future__ import annotations

from dataclasses import dataclass, field

from cells.drivers.direct.hello import Window, Windows
from cells.drivers.direct.unfinished import Unfinished


@dataclass(frozen=True)
class SessionSettings:
    """Limits of one connection that the peer need not know."""

    #: for each class, the most messages that wait, or are sent and not acknowledged
    queues: Windows = field(default_factory=lambda: Windows(*[Window(messages=4096, bytes=64 * 1024 * 1024)] * 3))
    #: from the start until the peer has answered the hello
    hello_seconds: float = 10.0
    #: how long an acknowledgement, or returned credit, may wait for a frame that it can accompany
    ack_seconds: float = 0.002
    #: the parts of messages on all connections with the cell of the peer; None: this one is the only one
    unfinished: Unfinished | None = None

"""The limits of links."""

from __future__ import annotations

from dataclasses import dataclass, field

from cells.drivers.direct.hello import Window, Windows


@dataclass(frozen=True)
class LinkSettings:
    """Limits of all links."""

    #: how long messages wait after the last connection to a neighbor has ended, or after the start
    reconnect_seconds: float = 30.0
    #: for each class, the messages of one neighbor whose fate is unknown
    queues: Windows = field(default_factory=lambda: Windows(*[Window(messages=10000, bytes=64 * 1024 * 1024)] * 3))
    #: how long an acknowledgement waits for a frame that it can accompany
    ack_seconds: float = 0.002

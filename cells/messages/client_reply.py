"""The answer to a call as the client that made it is sent it, past the manager that it has asked."""

from __future__ import annotations

from typing import Any, NamedTuple

from cells.messages.wire import HEAD_BYTES
from cells.transport.reply_address import ReplyAddress


class ClientReply(NamedTuple):
    """What travels to the queue on which a client waits: the value that an endpoint returned."""

    message_type: str
    version: str
    reply_to: ReplyAddress
    #: JSON text of the value
    value: str
    fanout: bool = False
    server: str = ""
    deadline: float | None = None
    may_share_a_cast: bool = False

    @property
    def size_bytes(self) -> int:
        """About the length of the text, and of the answer in its other form, which is kept until the client has it."""
        return 2 * len(self.value) + HEAD_BYTES

    def is_late(self, now: float) -> bool:  # noqa: ARG002  # as of other messages; the source knows when it is over
        """Never: what it costs is spent."""
        return False

    def to_json(self) -> str:
        """The value alone: what is around it is the driver's."""
        return self.value

    def to_item(self) -> dict[str, Any]:
        """It shares no cast."""
        raise TypeError("An answer to a client travels alone.")

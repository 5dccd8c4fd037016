"""A message as a driver is handed it: text, all but the time that is left."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from cells import versions
from cells.deadlines import shrink

#: Made once: json.dumps would make an encoder for each message.
to_text = json.JSONEncoder(allow_nan=False).encode
#: What the keys that cells on the way read are longer than without the names of cells in them.
HEAD_BYTES = 400


class SealedMessage(NamedTuple):
    """What travels to one neighbor, in the form of the version that is spoken with it."""

    message_type: str
    fanout: bool
    version: str
    #: the keys that every cell on the way reads
    head: Mapping[str, Any]
    #: JSON text of an object, the context and the arguments
    payload: str
    #: the one manager of the neighbor that it is for; empty: any, or all if it is a fan-out
    server: str = ""
    #: until when somebody waits, in seconds of the monotonic clock of this process
    deadline: float | None = None

    @property
    def reply_to(self) -> None:
        """It is for a manager, not for a client."""

    @property
    def size_bytes(self) -> int:
        """About the length of the text: JSON escapes what is not ASCII, so a character is a byte."""
        return len(self.payload) + HEAD_BYTES

    @property
    def may_share_a_cast(self) -> bool:
        """Whether it can travel together with others."""
        return versions.speaks(self.version, versions.BATCHES)

    def is_late(self, now: float) -> bool:
        """Whether nobody waits for what it would do."""
        return self.deadline is not None and now >= self.deadline

    def to_json(self) -> str:
        """The text of a message that travels alone: keys of the head, context and arguments in one object."""
        if self.may_share_a_cast:
            # The payload may be a text of another cell, unread: it may hold keys of its own.
            return to_text(self.to_item())
        return f"{to_text(self._head())[:-1]}, {self.payload[1:]}"

    def to_item(self) -> dict[str, Any]:
        """The message as one of many in a cast."""
        return {**self._head(), "payload": self.payload}

    def _head(self) -> Mapping[str, Any]:
        # Here and not when it was sealed: it may have waited for the neighbor's broker in between.
        if self.deadline is None or not versions.speaks(self.version, versions.TIME_LEFT):
            return self.head
        return {**self.head, "time_left": round(shrink(self.deadline - time.monotonic()), 3)}

"""A message as a driver gets it: its header in the form of one version, and its own keys."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cells import versions
from cells.deadlines import shrink
from cells.messages.memo import memo

#: Made once: json.dumps would make an encoder for each message.
to_text = json.JSONEncoder(allow_nan=False).encode
#: Estimated length of all keys but the payload, without the names of cells in them.
HEAD_BYTES = 400


@dataclass(frozen=True, eq=False)
class Form:
    """A header as it travels on one link; messages with the same header share it."""

    message_type: str
    fanout: bool
    #: the one manager of the neighbor that the message is for; empty: any manager, or all of a fanout
    server: str
    version: str
    #: whether messages can travel in one cast
    may_share_a_cast: bool
    #: whether messages may wait for room in a full send queue
    may_wait_for_room: bool
    #: as :mod:`cells.messages.kinds` names it
    kind: str
    #: JSON values
    keys: Mapping[str, Any]
    #: the first five fields, which begin each SealedMessage of this form
    shared: tuple[str, bool, str, str, bool]

    @memo
    def text(self) -> str:
        """The keys as the JSON text of an object, written once for all messages with the header."""
        return to_text(self.keys)


class Own(Protocol):
    """The keys and the deadline that differ from message to message."""

    @property
    def deadline(self) -> float | None: ...

    def is_late(self, now: float) -> bool: ...

    def write_own(self, keys: dict[str, Any], version: str) -> None: ...


class SealedMessage(NamedTuple):
    """A message that travels to one neighbor; the time left is written when the message is sent.

    Most fields are those of the form and the message: a send queue reads them several times for each message.
    """

    message_type: str
    fanout: bool
    server: str
    version: str
    may_share_a_cast: bool
    #: when the caller stops waiting, in seconds of the monotonic clock of this process; None: no limit
    deadline: float | None
    #: about the length of the text: JSON escapes non-ASCII characters, so a character is a byte
    size_bytes: int
    form: Form
    message: Own
    #: JSON text of an object with the context and the arguments
    payload: str

    @classmethod
    def of(cls, form: Form, message: Own, payload: str) -> SealedMessage:
        """Return ``message`` in ``form``."""
        # A relay spends its time here: one addition of tuples costs half as much as a call with ten arguments.
        own = (message.deadline, len(payload) + HEAD_BYTES, form, message, payload)
        return tuple.__new__(cls, form.shared + own)

    @property
    def kind(self) -> str:
        """The kind of the message, for the ledger of losses."""
        return self.form.kind

    def is_late(self, now: float) -> bool:
        """Whether the caller has stopped waiting at ``now``."""
        return self.message.is_late(now)

    def to_json(self) -> str:
        """Return the text of a message that travels alone."""
        item = self.to_item()
        if self.may_share_a_cast:
            # The payload may be the unread text of another cell, which may hold keys of its own.
            return to_text(item)
        payload = item.pop("payload")
        return f"{to_text(item)[:-1]}, {payload[1:]}"

    def to_item(self) -> dict[str, Any]:
        """Return the object of a message that shares a cast."""
        return {**self.form.keys, **self._own_keys()}

    def to_item_json(self) -> str:
        """Return :meth:`to_item` as a text."""
        return f"{self.form.text[:-1]}, {to_text(self._own_keys())[1:]}"

    def _own_keys(self) -> dict[str, Any]:
        own: dict[str, Any] = {"payload": self.payload}
        self.message.write_own(own, self.version)
        # Now, and not when the message was sealed: it may have waited for the neighbor's broker since.
        if self.deadline is not None and versions.speaks(self.version, versions.TIME_LEFT):
            own["time_left"] = round(shrink(self.deadline - time.monotonic()), 3)
        return own

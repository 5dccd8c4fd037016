"""A message with any text, for tests of drivers, which do not read the content of a message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextMessage:
    """Implements :class:`cells.drivers.base.Outgoing`, and the kind that links read."""

    message_type: str
    fanout: bool
    text: str
    version: str = "1.0"
    server: str = ""
    #: the message's item in a cast of several messages; None: it is cast alone
    item: dict[str, Any] | None = None
    deadline: float | None = None
    #: for the ledger of losses
    kind: str = "cast"

    @property
    def size_bytes(self) -> int:
        return len(self.text)

    @property
    def may_share_a_cast(self) -> bool:
        return self.item is not None

    def is_late(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline

    def to_json(self) -> str:
        return self.text

    def to_item(self) -> dict[str, Any]:
        assert self.item is not None
        return self.item

    def to_item_json(self) -> str:
        return json.dumps(self.to_item())

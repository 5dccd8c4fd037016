"""The messages of one batch: each header is read and planned once, for all messages that share it.

Most messages of a batch differ in their own keys alone.  A relay spends its time here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cells import exceptions, versions
from cells.messages.base import Message
from cells.messages.codec import HEADER_KEYS, message_class, object_of
from cells.messages.header import Header, Hop, Toward
from cells.messages.response import for_client
from cells.neighbors import Neighbors

#: The headers of a batch that are remembered; most batches have one or two.
MAX_HEADERS = 8
#: Types of values that are compared at once.  A key that this cell does not read may hold any other, at any depth.
_FLAT = frozenset((str, int, bool, float, type(None)))


class _Known(NamedTuple):
    """A header of the batch, and the hop of its messages if this cell only forwards them."""

    #: of :data:`HEADER_KEYS`, as they came
    values: list[object]
    types: list[type]
    message_class: type[Message]
    header: Header
    hop: Hop | None


@dataclass(kw_only=True, eq=False, repr=False)
class Batch:
    """Reads the messages of one cast in the cell where they have arrived."""

    here: str
    neighbors: Neighbors
    toward: Toward
    limit_bytes: int
    default_max_hop_count: int
    #: seconds of the monotonic clock
    now: float

    def __post_init__(self) -> None:
        self._known: list[_Known] = []

    def read(self, came: object) -> tuple[Message, Hop | None]:
        """Return the message that has arrived, and its next hop if this cell only forwards it.

        :param came: as in :func:`cells.messages.parse`
        :raises cells.exceptions.MessageError: ``came`` is no message, or its sender may not send it; the text names the
            fault
        """
        data = object_of(came, self.limit_bytes)
        known = self._header_of(data)
        hop, message = known.hop, known.message_class.read(data, known.header, self.now)
        if hop is None or message.trace is not None or message.is_late(self.now):
            return message, None
        if message.reply_to and for_client(message, hop) is not None:
            return message, None
        return message, hop

    def _header_of(self, data: Mapping[str, Any]) -> _Known:
        values = [*map(data.get, HEADER_KEYS)]
        for known in self._known:
            # Equal values of different types are not the same value: 1 == True == 1.0.
            if values == known.values and [*map(type, values)] == known.types:
                return known
        cls = message_class(data)
        header = cls.header_class.read(data, self.default_max_hop_count).arrived_at(self.here)
        header.check_sender(self.neighbors)
        hop = self._next_hop(header)
        known = _Known(values, [*map(type, values)], cls, header, hop)
        if len(self._known) < MAX_HEADERS and _FLAT.issuperset(known.types):
            self._known.append(known)
        return known

    def _next_hop(self, header: Header) -> Hop | None:
        """Return the hop of messages that this cell only forwards; None if it runs, gathers or refuses them."""
        try:
            plan = header.plan(self.neighbors, self.toward)
        except exceptions.RoutingError:
            # Planned once more for each message, whose caller gets the error.
            return None
        if plan.run_here or plan.awaited is not None:
            return None
        (hop,) = plan.hops
        return hop if versions.speaks(hop.version, versions.BATCHES) else None

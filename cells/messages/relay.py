"""The messages of one batch: each header is read and planned once, for all messages that share it.

Most messages of a batch differ in their own keys alone.  A relay spends its time here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from cells import exceptions, versions
from cells.messages.base import Message
from cells.messages.codec import HEADER_KEYS, message_class, object_of
from cells.messages.header import Header, Hop, Toward
from cells.messages.known_headers import Key, Known, KnownHeaders, key_of
from cells.messages.origin import UNKNOWN_ORIGIN, Origin
from cells.messages.response import ResponseMessage, for_client
from cells.neighbors import Neighbors

#: The headers of a batch that are remembered; most batches have one or two.
MAX_HEADERS = 8


class _Planned(NamedTuple):
    """A header of the batch, and the hop of its messages if this cell only forwards them."""

    key: Key | None
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
    origin: Origin = UNKNOWN_ORIGIN
    #: how long the messages were on their way, as far as the driver knows
    age_seconds: float = 0.0
    #: headers of earlier batches
    remembered: KnownHeaders = field(default_factory=KnownHeaders)

    def __post_init__(self) -> None:
        self._planned: list[_Planned] = []

    def read(self, came: object) -> tuple[Message, Hop | None]:
        """Return the message that has arrived, and its next hop if this cell only forwards it.

        :param came: as in :func:`cells.messages.parse`
        :raises cells.exceptions.MessageError: ``came`` is no message, or its sender may not send it; the text names the
            fault
        """
        data = object_of(came, self.limit_bytes)
        planned = self._planned_of(data)
        hop, message = planned.hop, planned.message_class.read(data, planned.header, self.now - self.age_seconds)
        if self.origin.neighbor and isinstance(message, ResponseMessage) and message.reply_to:
            # The sender has proved that it is that neighbor, and no login to another cell's broker: this cell writes to
            # no client's queue there on its behalf.  The manager that has asked gets the answer.
            message = replace(message, reply_to="")
        if hop is None or message.trace is not None or message.is_late(self.now):
            return message, None
        if message.reply_to and for_client(message, hop) is not None:
            return message, None
        return message, hop

    def _planned_of(self, data: Mapping[str, Any]) -> _Planned:
        key = key_of(self.origin, (*map(data.get, HEADER_KEYS),))
        if key is not None:
            for planned in self._planned:
                if planned.key == key:
                    return planned
        cls, header = self._known_of(key, data)
        planned = _Planned(key, cls, header, self._next_hop(header))
        if key is not None and len(self._planned) < MAX_HEADERS:
            self._planned.append(planned)
        return planned

    def _known_of(self, key: Key | None, data: Mapping[str, Any]) -> Known:
        """Return the header of a message, read and checked now or before."""
        headers = self.remembered.of(self.neighbors)
        known = None if key is None else headers.get(key)
        if known is not None:
            return known
        cls = message_class(data)
        header = cls.header_class.read(data, self.default_max_hop_count).arrived_at(self.here)
        self.origin.check(header.route[-2], self.neighbors)
        header.check_sender(self.neighbors)
        known = Known(cls, header)
        if key is not None:
            self.remembered.add(headers, key, known)
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

"""The messages of one batch that a cell only forwards, gathered by neighbor; the router fills and sends them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cells import exceptions
from cells.links import Links, SendRequest
from cells.messages import Hop, Message

#: How long a batch may block the thread that reads, if the send queue of its neighbor is full: meanwhile, messages
#: wait in this cell's broker.  Only a neighbor that is slower than its senders costs other neighbors this time.
BACK_PRESSURE_SECONDS = 0.2
#: Takes a message, the name of the neighbor that did not get it, and the reason.
OnFailure = Callable[[Message, str, exceptions.CellsError], None]


class ForwardingBatch:
    """Messages of one batch that wait to be forwarded."""

    def __init__(self, links: Links, on_failure: OnFailure, limit_bytes: int, now: float) -> None:
        """:param now: when the batch was read, in seconds of the monotonic clock"""
        self._links = links
        self._on_failure = on_failure
        self._limit_bytes = limit_bytes
        self._now = now
        #: by neighbor and type of message
        self._requests: dict[tuple[int, str], tuple[Hop, list[SendRequest]]] = {}

    def add(self, message: Message, hop: Hop) -> bool:
        """Forward ``message`` by ``hop`` at the next :meth:`send`; return False if it cannot be sent as it is."""
        form = hop.form
        try:
            sealed = message.sealed_as(form, self._limit_bytes)
        except exceptions.MessageError:
            return False
        neighbor = hop.neighbor
        way = (id(neighbor), form.message_type)
        found = self._requests.get(way)
        if found is None:
            found = self._requests[way] = (hop, [])
        found[1].append((sealed, partial(self._on_failure, message, neighbor.name), None))
        return True

    def send(self) -> None:
        """Queue all messages on the links to their neighbors, in the order in which they came."""
        requests, self._requests = self._requests, {}
        for hop, together in requests.values():
            room_deadline = self._now + BACK_PRESSURE_SECONDS if hop.form.may_wait_for_room else 0.0
            self._links.send(hop.neighbor, together, room_deadline=room_deadline)

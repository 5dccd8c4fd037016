"""The messages of one cast that go on to neighbors, those for one neighbor together; the router gathers them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cells.links.links import Outboxes
from cells.links.send_queue import Parcel
from cells.messages import ResponseMessage, Transit

#: When more comes for a neighbor than is sent, what comes waits in this cell's broker: a cast of many may hold up
#: the thread that reads for so long.  Only a neighbor that takes messages slower than they come costs others that.
BACK_PRESSURE_SECONDS = 0.2


class Onward:
    """What is passed on of one cast."""

    def __init__(self, outboxes: Outboxes, on_failure: Callable[..., None], now: float) -> None:
        """:param on_failure: takes what came, when, for which neighbor, and why that did not get it"""
        self._outboxes = outboxes
        self._on_failure = on_failure
        self._now = now
        #: by neighbor and type of message
        self._parcels: dict[tuple[int, str], tuple[Transit, list[Parcel]]] = {}

    def add(self, came: object, transit: Transit) -> None:
        """Pass ``transit``, which has ``came``, on at the next :meth:`send`."""
        neighbor, message = transit
        way = (id(neighbor), message.message_type)
        found = self._parcels.get(way)
        if found is None:
            found = self._parcels[way] = (transit, [])
        found[1].append((message, partial(self._on_failure, came, self._now, neighbor.name), None))

    def send(self) -> None:
        """Leave all of them in the outboxes of their neighbors, in the order in which they came."""
        parcels, self._parcels = self._parcels, {}
        for first, together in parcels.values():
            # On the thread that reads answers nothing is waited for.
            is_patient = first.message.message_type != ResponseMessage.message_type
            patient_until = self._now + BACK_PRESSURE_SECONDS if is_patient else 0.0
            self._outboxes.send_all(first.neighbor, together, patient_until=patient_until)

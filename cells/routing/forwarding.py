"""The messages of one cast that go on to neighbors, those for one neighbor together; the router gathers them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cells.links import Links, SendRequest
from cells.messages import ResponseMessage, Transit

#: When more comes for a neighbor than is sent, what comes waits in this cell's broker: a cast of many may hold up
#: the thread that reads for so long.  Only a neighbor that takes messages slower than they come costs others that.
BACK_PRESSURE_SECONDS = 0.2


class Onward:
    """What is passed on of one cast."""

    def __init__(self, links: Links, on_failure: Callable[..., None], now: float) -> None:
        """:param on_failure: takes what came, when, for which neighbor, and why that did not get it"""
        self._links = links
        self._on_failure = on_failure
        self._now = now
        #: by neighbor and type of message
        self._requests: dict[tuple[int, str], tuple[Transit, list[SendRequest]]] = {}

    def add(self, came: object, transit: Transit) -> None:
        """Pass ``transit``, which has ``came``, on at the next :meth:`send`."""
        neighbor, message = transit
        way = (id(neighbor), message.message_type)
        found = self._requests.get(way)
        if found is None:
            found = self._requests[way] = (transit, [])
        found[1].append((message, partial(self._on_failure, came, self._now, neighbor.name), None))

    def send(self) -> None:
        """Queue all of them on the links to their neighbors, in the order in which they came."""
        requests, self._requests = self._requests, {}
        for first, together in requests.values():
            # On the thread that reads answers nothing is waited for.
            is_patient = first.message.message_type != ResponseMessage.message_type
            room_deadline = self._now + BACK_PRESSURE_SECONDS if is_patient else 0.0
            self._links.send_all(first.neighbor, together, room_deadline=room_deadline)

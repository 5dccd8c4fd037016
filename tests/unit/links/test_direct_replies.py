"""A direct reply waits in the queue of its link like a message, and travels alone."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import BaseCellsDriver, Outgoing, Target
from cells.links import LinkLimits, Links
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage

TIMEOUT_SECONDS = 10.0
EAST = Neighbor("east", "memory://bus/east", is_parent=False, driver="plain")
ITEM = TextMessage("response", False, "", version="1.4", item={"text": "1"})


class PlainDriver(BaseCellsDriver):
    """Keeps messages, and has no way to clients."""

    def __init__(self) -> None:
        self.sent: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def start_servers(self, on_message: object) -> None:
        """Nothing is received."""

    def stop_servers(self) -> None:
        """Nothing is received."""

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        self.sent.put(message)

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        self.sent.put(list(messages))

    def close_link(self, cell: Target) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""


class ReachingDriver(PlainDriver):
    """Has a way to clients."""

    def reaches_clients(self, cell: Target) -> bool:
        return True

    def reply_to_client(self, cell: Target, reply_to: str, value: str) -> None:
        self.sent.put((cell.name, reply_to, value))


class Place:
    """Links of one driver, and their reports."""

    def __init__(self, driver: PlainDriver) -> None:
        self.driver = driver
        self.counters = Counters()
        self.deliveries: list[tuple[str, bool]] = []
        self.reports: queue.SimpleQueue[Any] = queue.SimpleQueue()
        limits = LinkLimits()
        self.links = Links(self, self.counters, lambda *told: self.deliveries.append(told), limits)  # type: ignore[arg-type]

    def get(self, _: str) -> PlainDriver:
        """As the set of drivers."""
        return self.driver

    def reply(self, value: str = "1") -> Any:
        """Send a direct reply, and wait for the report."""
        self.links.reply_to_client(EAST, "4f2a@reply_1", value, self.reports.put, lambda: self.reports.put("sent"))
        return self.reports.get(timeout=TIMEOUT_SECONDS)

    def next(self) -> Any:
        return self.driver.sent.get(timeout=TIMEOUT_SECONDS)


@pytest.fixture
def places() -> Iterator[list[Place]]:
    places = [Place(ReachingDriver()), Place(PlainDriver())]
    yield places
    for place in places:
        place.links.stop(TIMEOUT_SECONDS)


def test_the_driver_is_handed_the_value_and_success_is_reported(places: list[Place]) -> None:
    reaching, plain = places
    assert (reaching.links.reaches_clients(EAST), plain.links.reaches_clients(EAST)) == (True, False)
    assert reaching.reply() == "sent"
    assert reaching.next() == ("east", "4f2a@reply_1", "1")
    assert reaching.counters.as_dict() == {"sent": 1}
    assert reaching.deliveries == [("east", True)]


def test_a_driver_without_a_way_to_clients_says_nothing_about_the_neighbor(places: list[Place]) -> None:
    _, plain = places
    assert isinstance(plain.reply(), exceptions.ClientGone)
    assert (plain.counters.as_dict(), plain.deliveries) == ({"undelivered.ClientGone": 1}, [])


def test_a_message_and_a_direct_reply_share_no_cast(places: list[Place]) -> None:
    reaching, _ = places
    reaching.links.send(EAST, [(ITEM, fail, None)], hold_seconds=3600.0)
    assert reaching.reply() == "sent"
    assert reaching.next() == ("east", "4f2a@reply_1", "1")
    reaching.links.wait_until_idle(TIMEOUT_SECONDS)
    assert reaching.next() == [ITEM]


def fail(error: exceptions.CellsError) -> None:
    raise error

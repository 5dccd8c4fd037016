"""Links whose driver reports the outcome of a message later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from oslo_config import cfg

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import BaseCellsDriver, DriverSettings, OnDone, OnMessage, Outgoing, PostingDriver, Target
from cells.drivers.registry import Drivers
from cells.links import LinkLimits, Links, Losses
from cells.links.send_queue import DirectReply
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage

EAST = Neighbor("east", "", is_parent=False, driver="direct")


class Driver(PostingDriver):
    """Keeps the messages and the functions that report their outcomes."""

    def __init__(self, settings: DriverSettings) -> None:
        self.settings = settings
        self.posted: list[tuple[Outgoing, OnDone]] = []
        self.waits: list[float] = []

    def start_servers(self, on_message: OnMessage) -> None: ...

    def stop_servers(self) -> None: ...

    def post(self, cell: Target, messages: Sequence[tuple[Outgoing, OnDone]]) -> None:
        self.posted += messages

    def wait_for_room(self, cell: Target, until: float) -> bool:
        self.waits.append(until)
        return True

    def close_link(self, cell: Target) -> None: ...

    def close(self) -> None: ...


class OneDriver(Drivers):
    def __init__(self, driver: BaseCellsDriver) -> None:
        self._driver = driver

    def get(self, name: str) -> BaseCellsDriver:
        return self._driver


class Place:
    def __init__(self) -> None:
        self.driver = Driver(DriverSettings(cfg.ConfigOpts(), "host", None, ()))
        self.deliveries: list[tuple[str, bool]] = []
        self.outcomes: list[Any] = []
        self.has_moved = False
        self.counters, self.losses = Counters(), Losses()
        self.links = Links(
            OneDriver(self.driver),
            self.counters,
            lambda name, is_reachable: self.deliveries.append((name, is_reachable)),
            LinkLimits(),
            losses=self.losses,
            is_used=lambda _: not self.has_moved,
        )

    def send(self, *texts: str, **options: float) -> None:
        requests = [
            (TextMessage("targeted", False, text), self.outcomes.append, lambda: self.outcomes.append("sent"))
            for text in texts
        ]
        self.links.send(EAST, requests, **options)

    def finish(self, error: exceptions.CellsError | None = None) -> None:
        """Report the outcome of the oldest message."""
        _, on_done = self.driver.posted.pop(0)
        on_done(error)


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_message_is_in_flight_until_its_outcome_is_reported(place: Place) -> None:
    place.send("1", "2")
    assert place.losses.of("east")["in_flight"] == 2
    assert len(place.links) == 0, "no queue and no thread"
    place.finish()
    assert place.outcomes == ["sent"]
    assert place.losses.of("east")["in_flight"] == 1
    assert place.counters.as_dict()["sent"] == 1


def test_a_message_that_is_given_up_is_reported_and_counted(place: Place) -> None:
    place.send("1")
    error = exceptions.NeighborUnreachable("down", cell="east")
    place.finish(error)
    assert place.outcomes == [error]
    assert place.losses.of("east")["in_flight"] == 0
    assert place.counters.as_dict()["undelivered.NeighborUnreachable"] == 1


def test_the_link_is_away_from_its_first_failure_to_its_next_success(place: Place) -> None:
    place.send("1", "2", "3", "4")
    place.finish(exceptions.NeighborUnreachable("down"))
    assert place.losses.is_away("east")
    place.finish(exceptions.NeighborUnreachable("down"))
    place.finish()
    assert not place.losses.is_away("east")
    place.finish()
    assert place.deliveries == [("east", False), ("east", False), ("east", True)]


@pytest.mark.parametrize("error", [None, exceptions.NeighborUnreachable("no longer registered here")])
def test_an_outcome_tells_nothing_about_a_neighbor_that_has_moved_to_another_driver(
    place: Place, error: exceptions.CellsError | None
) -> None:
    place.send("1", "2")
    place.finish(exceptions.NeighborUnreachable("down"))
    place.deliveries.clear()
    place.losses.came_back("east")
    place.has_moved = True
    place.finish(error)
    assert place.deliveries == []
    assert not place.losses.is_away("east")
    assert place.counters.as_dict()["undelivered.NeighborUnreachable" if error else "sent"] == (2 if error else 1)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NeighborBusy("full"),
        exceptions.CellTimeout("late"),
        exceptions.ManagerGone("gone"),
        exceptions.ManagerStopping("stops"),
        exceptions.MessageTooLarge("large"),
    ],
)
def test_an_error_about_the_message_does_not_tell_about_the_link(place: Place, error: exceptions.CellsError) -> None:
    place.send("1")
    place.finish(error)
    assert place.deliveries == []
    assert not place.losses.is_away("east")


def test_messages_that_may_wait_for_room_wait_before_they_are_posted(place: Place) -> None:
    place.send("1", room_deadline=5.0)
    place.send("2")
    assert place.driver.waits == [5.0]


def test_a_value_for_a_client_is_refused(place: Place) -> None:
    place.links.send(EAST, [(DirectReply("queue", "1"), place.outcomes.append, None)])
    assert [type(outcome) for outcome in place.outcomes] == [exceptions.ClientGone]
    assert place.driver.posted == []


def test_after_the_stop_no_message_is_posted(place: Place) -> None:
    place.links.stop(0.0)
    place.send("1")
    assert place.driver.posted == []
    assert [type(outcome) for outcome in place.outcomes] == [exceptions.NeighborUnreachable]


@pytest.mark.parametrize("outcome", [None, exceptions.NeighborUnreachable("down")])
def test_a_send_that_waits_returns_or_raises_the_outcome(outcome: exceptions.CellsError | None) -> None:
    driver = Driver(DriverSettings(cfg.ConfigOpts(), "host", None, ()))
    raised: list[BaseException | None] = []

    def send() -> None:
        try:
            driver.send_message_to_cell(EAST, TextMessage("targeted", False, "1"))
        except exceptions.CellsError as error:
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=send)
    thread.start()
    _until(lambda: driver.posted)
    driver.posted[0][1](outcome)
    thread.join(10)
    assert raised == [outcome]


def _until(condition: Callable[[], object]) -> None:
    while not condition():
        threading.Event().wait(0.001)

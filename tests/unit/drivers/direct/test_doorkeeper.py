"""Which connections make room for a new one, before it is known whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from cells.drivers.direct.doorkeeper import SILENT_SECONDS, SLOW_SECONDS, Doorkeeper, affordable
from tests.clock import Clock


class Connection:
    """The part of a connection that the doorkeeper uses; it is its own loop."""

    def __init__(self, clock: Clock) -> None:
        self.now = clock
        self.loop = self
        self.address = "127.0.0.1:1"
        self.heard_at = clock()
        self.dropped: list[Exception] = []

    def call(self, work: Any) -> None:
        work()

    def drop(self, error: Exception) -> None:
        self.dropped.append(error)


class Door:
    """A doorkeeper with three connections, which is all that it takes."""

    def __init__(self, clock: Clock) -> None:
        self.keeper = Doorkeeper(3)
        self.connections = [Connection(clock) for _ in range(3)]
        for connection in self.connections:
            assert self.keeper.has_room()
            self.keeper.add(connection)  # type: ignore[arg-type]

    @property
    def dropped(self) -> list[int]:
        return [number for number, connection in enumerate(self.connections) if connection.dropped]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Door:
    return Door(clock)


def test_busy_connections_stay(door: Door) -> None:
    assert not door.keeper.has_room()
    assert door.dropped == []


def test_the_most_silent_one_goes(door: Door, clock: Clock) -> None:
    clock.advance(SILENT_SECONDS + 0.01)
    for number in (0, 2):
        door.connections[number].heard_at = clock()
    assert door.keeper.has_room()
    assert door.dropped == [1]
    assert len(door.keeper) == 2


def test_the_oldest_of_those_that_send_goes(door: Door, clock: Clock) -> None:
    clock.advance(SLOW_SECONDS + 0.01)
    for connection in door.connections:
        connection.heard_at = clock()
    assert door.keeper.has_room()
    assert door.dropped == [0]


def test_one_that_is_known_or_closed_makes_room(door: Door) -> None:
    door.keeper.remove(door.connections[1])  # type: ignore[arg-type]
    door.keeper.remove(door.connections[1])  # type: ignore[arg-type]
    assert door.keeper.has_room()
    assert door.dropped == []


def test_they_take_a_share_of_the_descriptors() -> None:
    assert affordable(1) == 1
    assert 1 <= affordable(10**9) < 10**9

"""Faults of one direction, message by message."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.testing.faults import FaultyWire
from tools.polling import poll

EAST = Neighbor("east", "memory://bus/east", is_parent=False, driver="memory")
#: Longer than a test takes; nothing waits for it.
LONG_SECONDS = 600.0
#: Long enough to tell that something was delayed.
SHORT_SECONDS = 0.05


class Traffic:
    """Sender of numbers over a wire."""

    def __init__(self) -> None:
        self.wire = FaultyWire()
        self.arrived: list[int] = []

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.wire.carry(EAST, functools.partial(self.arrived.append, number))

    def wait_for(self, *numbers: int) -> None:
        poll(lambda: len(self.arrived) >= len(numbers), "all arrive", pause_seconds=0.002)
        assert self.arrived == list(numbers)


def refuse() -> None:
    raise exceptions.NeighborUnreachable("It has stopped.", cell="east")


@pytest.fixture
def traffic() -> Iterator[Traffic]:
    traffic = Traffic()
    yield traffic
    traffic.wire.close()


def delay_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "cells-testing-delay"}


def test_everything_arrives_at_once(traffic: Traffic) -> None:
    traffic.send(1, 2, 3)
    assert traffic.arrived == [1, 2, 3]


def test_a_number_of_messages_is_dropped(traffic: Traffic) -> None:
    traffic.wire.drop(2)
    traffic.send(1, 2, 3, 4)
    assert traffic.arrived == [3, 4]


def test_all_are_dropped_until_it_is_restored(traffic: Traffic) -> None:
    traffic.wire.drop(None)
    traffic.send(1, 2, 3)
    traffic.wire.restore()
    traffic.send(4)
    assert traffic.arrived == [4]


def test_a_number_of_messages_is_duplicated(traffic: Traffic) -> None:
    traffic.wire.duplicate(1)
    traffic.send(1, 2)
    traffic.wire.duplicate(None)
    traffic.send(3, 4)
    assert traffic.arrived == [1, 1, 2, 3, 3, 4, 4]


def test_cut_wire_refuses_messages_and_names_the_cell(traffic: Traffic) -> None:
    traffic.wire.cut()
    with pytest.raises(exceptions.NeighborUnreachable) as caught:
        traffic.send(1)
    assert caught.value.cell == "east"
    traffic.wire.restore()
    traffic.send(2)
    assert traffic.arrived == [2]


def test_delayed_messages_arrive_later_and_in_order(traffic: Traffic) -> None:
    traffic.wire.delay(SHORT_SECONDS)
    started = time.monotonic()
    traffic.send(1, 2, 3)
    traffic.wait_for(1, 2, 3)
    assert time.monotonic() - started >= SHORT_SECONDS


def test_messages_behind_held_messages_keep_their_order(traffic: Traffic) -> None:
    traffic.wire.delay(SHORT_SECONDS)
    traffic.send(1)
    traffic.wire.delay(0)
    traffic.send(2)
    traffic.wait_for(1, 2)
    traffic.send(3)
    traffic.wait_for(1, 2, 3)


def test_restore_delivers_held_messages(traffic: Traffic) -> None:
    traffic.wire.delay(LONG_SECONDS)
    traffic.send(1, 2)
    traffic.wire.restore()
    traffic.send(3)
    traffic.wait_for(1, 2, 3)


@pytest.mark.parametrize("end", [FaultyWire.cut, FaultyWire.close], ids=["cut", "close"])
def test_held_messages_are_lost_with_the_wire(traffic: Traffic, end: Callable[[FaultyWire], None]) -> None:
    before = delay_threads()
    traffic.wire.delay(LONG_SECONDS)
    traffic.send(1)
    (thread,) = delay_threads() - before
    end(traffic.wire)
    poll(lambda: not thread.is_alive(), "its thread ends", pause_seconds=0.002)
    assert traffic.arrived == []


def test_thread_ends_when_nothing_is_held(traffic: Traffic) -> None:
    before = delay_threads()
    traffic.wire.delay(SHORT_SECONDS)
    traffic.send(1)
    traffic.wait_for(1)
    poll(lambda: delay_threads() <= before, "its thread ends", pause_seconds=0.002)
    traffic.send(2)
    traffic.wait_for(1, 2)


def test_receiver_that_stops_does_not_affect_later_messages(traffic: Traffic) -> None:
    traffic.wire.delay(SHORT_SECONDS)
    traffic.wire.carry(EAST, refuse)
    traffic.send(1)
    traffic.wait_for(1)


def test_stopped_receiver_is_an_error_of_the_sender(traffic: Traffic) -> None:
    with pytest.raises(exceptions.NeighborUnreachable):
        traffic.wire.carry(EAST, refuse)


def test_faults_add_up(traffic: Traffic) -> None:
    traffic.wire.drop(1)
    traffic.wire.duplicate(1)
    traffic.wire.delay(SHORT_SECONDS)
    traffic.send(1, 2, 3)
    traffic.wait_for(2, 2, 3)


def test_close_may_be_called_twice_and_ends_all_faults(traffic: Traffic) -> None:
    traffic.wire.cut()
    traffic.wire.drop(None)
    traffic.wire.close()
    traffic.wire.close()
    traffic.send(1)
    assert traffic.arrived == [1]


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "1"])
def test_invalid_count(traffic: Traffic, count: object) -> None:
    for fault in (traffic.wire.drop, traffic.wire.duplicate):
        with pytest.raises(ValueError, match="count must be"):
            fault(count)  # type: ignore[arg-type]
    traffic.send(1)
    assert traffic.arrived == [1]


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_invalid_delay(traffic: Traffic, seconds: float) -> None:
    with pytest.raises(ValueError, match="delay must be"):
        traffic.wire.delay(seconds)

"""A message may wait in the queue of its link, for a limited time, for others that share its cast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cells import exceptions
from cells.links.send_queue import MAX_MESSAGES
from tests.clock import Clock
from tests.unit.links.conftest import Make
from tests.unit.links.harness import HOUR, ITEM, A, B, Harness, wait_for

OTHER_KIND = replace(ITEM, message_type="response")


@pytest.fixture
def held(make: Make) -> Make:
    """Links on which the messages 1 and 2 are held for an hour."""

    def make_held(**limits: Any) -> Harness:
        harness = make(**limits)
        harness.send(A, "1", "2", hold_seconds=HOUR, like=ITEM)
        return harness

    return make_held


def test_held_messages_wait_while_messages_of_other_kinds_are_sent(held: Make) -> None:
    harness = held()
    for text in ("3", "4"):
        harness.send(A, text, like=OTHER_KIND)
        wait_for(lambda: harness.told[-1:] == [f"{text} sent"], "it is sent")  # noqa: B023
    assert harness.driver.of(A, "sent") == ["sent 3", "sent 4"]


def test_held_messages_are_sent_together_when_their_time_is_over(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock)
    harness.send(A, "1", "2", hold_seconds=0.01, like=ITEM)
    harness.send(A, "3", like=OTHER_KIND)
    harness.wait_until(A, "sent 3")
    clock.advance(0.01)
    harness.wait_until(A, "sent 3", "sent 1+2")


def test_the_shortest_hold_ends_the_hold_of_all(make: Make) -> None:
    harness = make()
    harness.send(A, "1", hold_seconds=HOUR, like=ITEM)
    harness.send(A, "2", hold_seconds=0.01, like=ITEM)
    harness.wait_until(A, "sent 1+2")


def test_the_next_message_of_their_kind_takes_held_messages_along(held: Make) -> None:
    harness = held()
    harness.send(A, "3", like=ITEM)
    harness.wait_until(A, "sent 1+2+3")
    harness.send(A, "4", hold_seconds=HOUR, like=ITEM)
    harness.send(A, "5", like=OTHER_KIND)
    harness.wait_until(A, "sent 1+2+3", "sent 5")


def test_waiting_until_idle_sends_held_messages_at_once(held: Make) -> None:
    harness = held()
    harness.send(B, "3", hold_seconds=HOUR, like=ITEM)
    harness.links.wait_until_idle(10)
    assert (harness.driver.of(A, "sent"), harness.driver.of(B, "sent")) == (["sent 1+2"], ["sent 3"])
    assert sorted(harness.told) == ["1 sent", "2 sent", "3 sent"]
    # Afterwards messages are held again.
    harness.send(A, "4", hold_seconds=HOUR, like=ITEM)
    harness.send(A, "5", like=OTHER_KIND)
    harness.wait_until(A, "sent 1+2", "sent 5")


def test_messages_that_callbacks_hold_while_idle_is_awaited_are_sent_too(make: Make) -> None:
    harness = make()
    request = (ITEM, lambda error: pytest.fail(str(error)), lambda: harness.send(A, "2", hold_seconds=HOUR, like=ITEM))
    harness.links.send(A, [request], hold_seconds=HOUR)
    harness.links.wait_until_idle(10)
    assert harness.told == ["2 sent"]


@pytest.mark.parametrize(
    "end", [lambda harness: harness.links.forget(A), lambda harness: harness.links.stop(10)], ids=["forget", "stop"]
)
def test_a_link_that_closes_sends_held_messages_first(held: Make, end: Any) -> None:
    harness = held()
    end(harness)
    harness.wait_until(A, "sent 1+2", "close")


def test_held_messages_do_not_keep_a_link_from_making_room_for_another(held: Make) -> None:
    harness = held(open_links=1)
    harness.send(A, "3", like=OTHER_KIND)
    wait_for(lambda: harness.told == ["3 sent"], "the link is open")
    harness.send(B, "4", like=ITEM)
    harness.wait_until(B, "sent 4")
    assert harness.driver.of(A, "sent", "close") == ["sent 3", "sent 1+2", "close"]


def test_held_messages_count_as_queued(make: Make) -> None:
    harness = make(queue_size=2)
    harness.send(A, "1", "2", "3", hold_seconds=HOUR, like=ITEM)
    assert harness.told == ["3 NeighborBusy"]


def test_held_messages_outlive_an_attempt_that_fails_before_they_are_due(held: Make) -> None:
    """No message follows that would tell their receiver that they are lost."""
    harness = held()
    harness.driver.failures["a"] = exceptions.NeighborUnreachable("away", cell="a")
    harness.send(A, "3", like=OTHER_KIND)
    wait_for(lambda: harness.told == ["3 NeighborUnreachable"], "it has failed")
    del harness.driver.failures["a"]
    harness.links.wait_until_idle(10)
    assert sorted(harness.told) == ["1 sent", "2 sent", "3 NeighborUnreachable"]


def test_held_messages_share_the_failure_of_an_attempt_that_lasts_until_they_are_due(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock)
    harness.driver.failures["a"] = exceptions.NeighborUnreachable("away", cell="a")
    harness.driver.hang("a")
    harness.send(A, "3", like=OTHER_KIND)
    harness.wait_until(A, "try 3")
    harness.send(A, "1", "2", hold_seconds=0.01, like=ITEM)
    clock.advance(0.01)
    harness.driver.resume("a")
    harness.wait_until_told(*(f"{text} NeighborUnreachable" for text in "123"))
    assert harness.driver.of(A, "try") == ["try 3"]


def test_messages_that_exceed_one_cast_are_not_held_any_longer(make: Make) -> None:
    harness = make()
    numbers = [str(number) for number in range(MAX_MESSAGES + 1)]
    harness.send(A, *numbers, hold_seconds=HOUR, like=ITEM)
    harness.send(A, "last", like=ITEM)
    wait_for(lambda: len(harness.told) == len(numbers) + 1, "all are sent")

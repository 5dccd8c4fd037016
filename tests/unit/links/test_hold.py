"""A message may wait in the queue of its link, for a limited time, for others that share its cast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cells import exceptions
from cells.links.send_queue import MAX_MESSAGES
from tests.unit.links.test_batches import ITEM, Batches
from tests.unit.links.test_links import A, B, wait_for

HOUR = 3600.0
OTHER_KIND = replace(ITEM, message_type="response")


@pytest.fixture
def held(batches: Callable[..., Batches]) -> Callable[..., Batches]:
    """Links on which the messages 1 and 2 are held for an hour."""

    def make(**limits: Any) -> Batches:
        one = batches(**limits)
        one.put("1", "2", hold_seconds=HOUR)
        return one

    return make


def test_held_messages_wait_while_messages_of_other_kinds_are_sent(held: Callable[..., Batches]) -> None:
    one = held()
    for text in ("3", "4"):
        one.put(text, like=OTHER_KIND)
        wait_for(lambda: one.told[-1:] == [f"{text} sent"], "it is sent")  # noqa: B023
    assert one.driver.of(A, "sent") == ["sent 3", "sent 4"]


def test_held_messages_are_sent_together_when_their_time_is_over(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.put("1", "2", hold_seconds=0.1)
    one.wait_until(A, "sent 1+2")


def test_the_shortest_hold_ends_the_hold_of_all(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.put("1", hold_seconds=HOUR)
    one.put("2", hold_seconds=0.01)
    one.wait_until(A, "sent 1+2")


def test_the_next_message_of_their_kind_takes_held_messages_along(held: Callable[..., Batches]) -> None:
    one = held()
    one.put("3")
    one.wait_until(A, "sent 1+2+3")
    one.put("4", hold_seconds=HOUR)
    one.put("5", like=OTHER_KIND)
    one.wait_until(A, "sent 1+2+3", "sent 5")


def test_waiting_until_idle_sends_held_messages_at_once(held: Callable[..., Batches]) -> None:
    one = held()
    one.put("3", cell=B, hold_seconds=HOUR)
    one.links.wait_until_idle(10)
    assert (one.driver.of(A, "sent"), one.driver.of(B, "sent")) == (["sent 1+2"], ["sent 3"])
    assert sorted(one.told) == ["1 sent", "2 sent", "3 sent"]
    # Afterwards messages are held again.
    one.put("4", hold_seconds=HOUR)
    one.put("5", like=OTHER_KIND)
    one.wait_until(A, "sent 1+2", "sent 5")


def test_messages_that_callbacks_hold_while_idle_is_awaited_are_sent_too(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.links.send(
        A, ITEM, lambda error: pytest.fail(str(error)), lambda: one.put("2", hold_seconds=HOUR), hold_seconds=HOUR
    )
    one.links.wait_until_idle(10)
    assert one.told == ["2 sent"]


@pytest.mark.parametrize(
    "end", [lambda one: one.links.forget(A), lambda one: one.links.stop(10)], ids=["forget", "stop"]
)
def test_a_link_that_closes_sends_held_messages_first(held: Callable[..., Batches], end: Any) -> None:
    one = held()
    end(one)
    one.wait_until(A, "sent 1+2", "close")


def test_held_messages_do_not_keep_a_link_from_making_room_for_another(held: Callable[..., Batches]) -> None:
    one = held(open_links=1)
    one.put("3", like=OTHER_KIND)
    wait_for(lambda: one.told == ["3 sent"], "the link is open")
    one.put("4", cell=B)
    one.wait_until(B, "sent 4")
    assert one.driver.of(A, "sent", "close") == ["sent 3", "sent 1+2", "close"]


def test_held_messages_count_as_queued(batches: Callable[..., Batches]) -> None:
    one = batches(queue_size=2)
    one.put("1", "2", "3", hold_seconds=HOUR)
    assert one.told == ["3 NeighborBusy"]


def test_held_messages_share_the_failure_of_an_attempt(held: Callable[..., Batches]) -> None:
    one = held()
    one.driver.failures["a"] = exceptions.NeighborUnreachable("away", cell="a")
    one.put("3", like=OTHER_KIND)
    wait_for(lambda: one.told, "it has failed")
    one.links.wait_until_idle(10)
    assert sorted(one.told) == [f"{text} NeighborUnreachable" for text in "123"]
    assert one.driver.of(A, "try") == ["try 3"]


def test_messages_that_exceed_one_cast_are_not_held_any_longer(batches: Callable[..., Batches]) -> None:
    one = batches()
    numbers = [str(number) for number in range(MAX_MESSAGES + 1)]
    one.put(*numbers, hold_seconds=HOUR)
    one.put("last")
    wait_for(lambda: len(one.told) == len(numbers) + 1, "all are sent")

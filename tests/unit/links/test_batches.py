"""Queued messages share a cast; each message has its own report, and an expired message is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cells import exceptions
from cells.drivers.base import BaseCellsDriver, Target
from tests.clock import Clock
from tests.text_message import TextMessage
from tests.unit.links.conftest import Make
from tests.unit.links.harness import ALONE, HOUR, ITEM, A, BatchDriver, Harness, PlainDriver, wait_for

UNREACHABLE = exceptions.NeighborUnreachable("The broker is down.", cell="a")


def test_a_message_for_an_idle_link_does_not_wait_for_others(make: Make) -> None:
    harness = make()
    for number in range(5):
        harness.send(A, str(number), like=ITEM)
        harness.wait_until_told(*(f"{sent} sent" for sent in range(number + 1)))
    assert harness.driver.of(A, "sent") == [f"sent {number}" for number in range(5)]


def test_queued_messages_are_sent_together(make: Make) -> None:
    harness = make()
    harness.queue_behind_first("1", "2", "3")
    assert harness.driver.of(A, "try") == ["try first"]
    harness.driver.resume("a")
    harness.wait_until(A, "sent first", "sent 1+2+3")
    wait_for(lambda: len(harness.told) == 4, "all are reported")
    assert harness.told == ["first sent", "1 sent", "2 sent", "3 sent"]
    assert harness.counters.as_dict() == {"sent": 4}
    assert harness.deliveries == [("a", True), ("a", True)]


def test_messages_that_travel_alone_do_so_between_the_others(make: Make) -> None:
    harness = make()
    harness.queue_behind_first("1", "2")
    harness.send(A, "alone1", "alone2", like=ALONE)
    harness.send(A, "3", like=ITEM)
    harness.driver.resume("a")
    harness.wait_until(A, "sent first", "sent 1+2+3", "sent alone1", "sent alone2")


def test_a_driver_without_batches_sends_one_by_one(make: Make) -> None:
    harness = make(PlainDriver())
    assert PlainDriver.send_messages_to_cell is BaseCellsDriver.send_messages_to_cell
    harness.queue_behind_first("1", "2")
    harness.driver.resume("a")
    harness.wait_until(A, "sent first", "sent 1", "sent 2")
    harness.wait_until_told("first sent", "1 sent", "2 sent")


def test_the_failure_of_a_cast_is_reported_for_each_of_its_messages(make: Make) -> None:
    harness = make()
    harness.queue_behind_first("1", "2", "3")
    # The first message passes; then the cast of the others fails.
    harness.driver.hang("a's casts")
    harness.driver.resume("a")
    harness.wait_until(A, "sent first")
    harness.driver.failures["a"] = UNREACHABLE
    harness.driver.resume("a's casts")
    harness.wait_until_told("first sent", *(f"{text} NeighborUnreachable" for text in "123"))
    assert {error.message for error in harness.failures.values()} == {UNREACHABLE.message}
    assert harness.counters.as_dict()["undelivered.NeighborUnreachable"] == 3
    del harness.driver.failures["a"]
    harness.send(A, "4", like=ITEM)
    wait_for(lambda: harness.told[-1] == "4 sent", "the next message is a new attempt")


def test_a_failed_attempt_fails_the_queued_cast_too(make: Make) -> None:
    harness = make()
    harness.queue_behind_first("1", "2", "3")
    harness.driver.failures["a"] = UNREACHABLE
    harness.driver.resume("a")
    wait_for(lambda: len(harness.told) == 4, "all are reported")
    assert harness.driver.of(A, "try") == ["try first"]
    assert harness.told == [f"{text} NeighborUnreachable" for text in ("first", "1", "2", "3")]
    assert harness.deliveries == [("a", False)]


def expiring(clock: Clock, seconds: float, like: TextMessage = ITEM) -> TextMessage:
    return replace(like, deadline=clock.now + seconds)


@pytest.mark.parametrize("like", [ITEM, ALONE], ids=["item", "alone"])
def test_a_message_that_expires_in_the_queue_is_not_sent(make: Make, like: TextMessage) -> None:
    clock = Clock()
    harness = make(clock=clock)
    harness.queue_behind_first("1", like=like)
    harness.send(A, "late", like=expiring(clock, 0.05, like))
    harness.send(A, "in time", like=expiring(clock, HOUR, like))
    assert harness.told == []
    clock.advance(0.06)
    harness.driver.resume("a")
    harness.wait_until_told("1 sent", "first sent", "in time sent", "late CellTimeout")
    assert not any("late" in line for line in harness.driver.record)
    assert (harness.failures["late"].cell, set(harness.deliveries)) == ("a", {("a", True)})
    assert harness.counters.as_dict() == {"sent": 3, "undelivered.CellTimeout": 1}


def test_if_all_messages_of_a_cast_have_expired_nothing_is_sent(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock)
    harness.queue_behind_first()
    harness.send(A, "1", "2", like=expiring(clock, -1.0))
    harness.driver.resume("a")
    harness.wait_until_told("first sent", "1 CellTimeout", "2 CellTimeout")
    assert harness.driver.of(A, "try") == ["try first"]
    assert harness.deliveries == [("a", True)]


def test_an_expired_message_is_no_failure_of_the_neighbor(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock)
    harness.send(A, "late", like=expiring(clock, -1.0))
    harness.wait_until_told("late CellTimeout")
    harness.send(A, "next", like=ITEM)
    wait_for(lambda: harness.told[1:] == ["next sent"], "the next message is sent")
    assert harness.deliveries == [("a", True)]


def stalled_cast(make: Make, *extra: TextMessage) -> Harness:
    """Return links with a cast of 1 and 2 that the send timeout has given up."""
    clock = Clock()
    harness = make(clock=clock, send_timeout_seconds=0.2)
    harness.driver.hang("a's casts")
    harness.queue_behind_first("1", "2")
    for message in extra:
        harness.send(A, message.text, like=message)
    harness.driver.resume("a")
    harness.wait_until(A, "cast 1+2")
    harness.send(A, "behind", like=ITEM)
    clock.advance(1)
    return harness


def outcomes(harness: Harness, texts: Sequence[str]) -> list[bool | None]:
    return [getattr(harness.failures[text], "may_arrive", None) for text in texts]


def test_a_stall_gives_up_the_whole_cast(make: Make) -> None:
    harness = stalled_cast(make)
    harness.wait_until_told("first sent", *(f"{text} NeighborUnreachable" for text in ("1", "2", "behind")))
    # The broker may have the cast and be slow to confirm it; the message behind it was never sent.
    assert outcomes(harness, ["1", "2", "behind"]) == [True, True, None]
    assert harness.counters.as_dict() == {"sent": 1, "undelivered.NeighborUnreachable": 3}


def test_a_message_that_was_given_up_is_reported_once_even_if_it_is_sent_in_the_end(make: Make) -> None:
    harness = stalled_cast(make, replace(ITEM, text="late", deadline=0.0))
    wait_for(lambda: len(harness.told) == 5, "all are reported")
    harness.driver.resume("a's casts")
    harness.wait_until(A, "sent first", "sent 1+2")

    def is_sent() -> bool:
        harness.send(A, "next", like=ITEM)
        return "next sent" in harness.told

    # The link refuses messages while its thread hangs: when it accepts one, the cast is finished.
    wait_for(is_sent, "the link takes messages again")
    told = [line for line in harness.told if not line.startswith("next")]
    assert sorted(line.split()[0] for line in told) == ["1", "2", "behind", "first", "late"]


def test_a_message_that_the_broker_refuses_does_not_fail_the_others_of_its_cast(make: Make) -> None:
    """The broker takes none of the messages of a cast with one that is too large (case C6)."""
    harness = make(Picky())
    harness.queue_behind_first("1", "2", "large", "3", "4")
    harness.driver.resume("a")
    harness.wait_until_told("first sent", "1 sent", "2 sent", "large MessageTooLarge", "3 sent", "4 sent")
    assert harness.driver.of(A, "sent") == ["sent first", "sent 1+2", "sent 3+4"]
    # The refusal is no fault of the link: messages of that time do not fail with it.
    assert set(harness.deliveries) == {("a", True)}
    assert not harness.links.losses.is_away("a")


class Picky(BatchDriver):
    """Refuses casts with a message ``large``."""

    def _send(self, cell: Target, text: str) -> None:
        if "large" in text:
            raise exceptions.MessageTooLarge("The broker refuses it.", cell=cell.name)
        super()._send(cell, text)

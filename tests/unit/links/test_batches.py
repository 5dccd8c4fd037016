"""Messages share a cast because they wait; each is told what became of it, and a late one is not sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cells import exceptions
from cells.drivers.base import BaseCellsDriver, Outgoing, Target
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tests.unit.links.test_links import A, ObedientDriver, Office, wait_for

ALONE = TextMessage("targeted", False, "")
ITEM = TextMessage("targeted", False, "", version="1.3", item={})


class BatchDriver(ObedientDriver):
    """One that knows batches: a cast of three is one line in the diary.

    It can be made to hang in those: ``hang("a's casts")``.
    """

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        together = "+".join(message.to_json() for message in messages)
        if len(messages) > 1:
            self.diary.append(f"cast {cell.transport_url} {together}")
            self._wait_at(f"{cell.name}'s casts")
        self.send_message_to_cell(cell, TextMessage("targeted", messages[0].fanout, together))


class Batches(Office):
    """Links whose driver knows batches, and what became of each message."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.driver = BatchDriver()
        self.links.drivers._drivers["obedient"] = self.driver
        self.told: list[str] = []

    def put(self, *texts: str, cell: Neighbor = A, like: TextMessage = ITEM, hold_seconds: float = 0.0) -> None:
        for text in texts:
            self._put(text, cell, replace(like, text=text), hold_seconds)

    def _put(self, text: str, cell: Neighbor, message: TextMessage, hold_seconds: float) -> None:
        def fail(error: exceptions.CellsError) -> None:
            self.failures[text] = error
            self.told.append(f"{text} {type(error).__name__}")

        self.links.send(cell, message, fail, lambda: self.told.append(f"{text} sent"), hold_seconds=hold_seconds)

    def hold(self, *texts: str, like: TextMessage = ITEM) -> None:
        """Have messages wait, behind one that hangs."""
        self.driver.hang("a")
        self.put("first")
        self.wait_until(A, "try first")
        self.put(*texts, like=like)


def test_what_finds_the_sender_idle_does_not_wait_for_others(batches: Callable[..., Batches]) -> None:
    one = batches()
    for number in range(5):
        one.put(str(number))
        wait_for(lambda: one.told == [f"{sent} sent" for sent in range(number + 1)], "it is sent")  # noqa: B023
    assert one.driver.of(A, "sent") == [f"sent {number}" for number in range(5)]


def test_what_has_to_wait_goes_together(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.hold("1", "2", "3")
    assert one.driver.of(A, "try") == ["try first"]
    one.driver.go_on("a")
    one.wait_until(A, "sent first", "sent 1+2+3")
    wait_for(lambda: len(one.told) == 4, "all are told")
    assert one.told == ["first sent", "1 sent", "2 sent", "3 sent"]
    assert one.counters.as_dict() == {"sent": 4}
    assert one.deliveries == [("a", True), ("a", True)]


def test_what_must_travel_alone_does_so_between_the_others(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.hold("1", "2")
    one.put("alone1", "alone2", like=ALONE)
    one.put("3")
    one.driver.go_on("a")
    one.wait_until(A, "sent first", "sent 1+2+3", "sent alone1", "sent alone2")


def test_a_driver_that_knows_no_batches_sends_one_by_one(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.links.drivers._drivers["obedient"] = plain = ObedientDriver()
    assert type(plain).send_messages_to_cell is BaseCellsDriver.send_messages_to_cell
    one.driver = plain  # type: ignore[assignment]  # its diary is what counts
    one.hold("1", "2")
    plain.go_on("a")
    one.wait_until(A, "sent first", "sent 1", "sent 2")
    wait_for(lambda: one.told == ["first sent", "1 sent", "2 sent"], "all are told")


def test_the_failure_of_a_cast_is_told_to_each_of_it(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.hold("1", "2", "3")
    one.driver.go_on("a")
    one.driver.failures["a"] = exceptions.NeighborUnreachable("Nobody is at home.", cell="a")
    wait_for(lambda: len(one.told) == 4, "all are told")
    tried = one.driver.of(A, "sent")
    lost = [line.split()[0] for line in one.told if line.endswith("NeighborUnreachable")]
    # The first may have been through when it began to fail.
    assert lost == (["1", "2", "3"] if tried else ["first", "1", "2", "3"])
    assert {error.message for error in one.failures.values()} == {"Nobody is at home."}
    assert one.counters.as_dict()["undelivered.NeighborUnreachable"] == len(lost)
    del one.driver.failures["a"]
    one.put("4")
    wait_for(lambda: one.told[-1] == "4 sent", "the next one is tried anew")


def test_a_failed_cast_is_one_failed_attempt(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.hold("1", "2", "3")
    one.driver.failures["a"] = exceptions.NeighborUnreachable("Nobody is at home.", cell="a")
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 4, "all are told")
    # They waited while the first one failed: what it found out holds for them, too.
    assert one.driver.of(A, "try") == ["try first"]
    assert one.told == [f"{text} NeighborUnreachable" for text in ("first", "1", "2", "3")]
    assert one.deliveries == [("a", False)]


def late(seconds: float, like: TextMessage = ITEM) -> TextMessage:
    return replace(like, deadline=time.monotonic() + seconds)


@pytest.mark.parametrize("like", [ITEM, ALONE], ids=["item", "alone"])
def test_a_message_for_which_nobody_waits_any_more_is_not_sent(
    batches: Callable[..., Batches], like: TextMessage
) -> None:
    one = batches()
    one.hold("1", like=like)
    one.put("late", like=late(-0.001, like))
    one.put("in time", like=late(600.0, like))
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 4, "all are told")
    assert sorted(one.told) == ["1 sent", "first sent", "in time sent", "late CellTimeout"]
    assert not any("late" in line for line in one.driver.diary)
    assert "until its deadline had passed" in one.failures["late"].message
    assert (one.failures["late"].cell, set(one.deliveries)) == ("a", {("a", True)})
    assert one.counters.as_dict() == {"sent": 3, "undelivered.CellTimeout": 1}


def test_it_is_late_if_its_time_was_over_while_it_waited(batches: Callable[..., Batches]) -> None:
    one = batches()
    soon = late(0.05)
    one.hold("1")
    one.put("late", like=soon)
    assert one.told == []
    wait_for(lambda: soon.is_late(time.monotonic()), "its time is over")
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 3, "all are told")
    assert one.told == ["first sent", "1 sent", "late CellTimeout"]


def test_where_all_are_late_nothing_is_sent(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.hold()
    one.put("1", "2", like=late(-1.0))
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 3, "all are told")
    assert one.driver.of(A, "try") == ["try first"]
    assert one.deliveries == [("a", True)]


def test_lateness_of_one_message_is_no_failure_of_the_neighbor(batches: Callable[..., Batches]) -> None:
    one = batches()
    one.put("late", like=late(-1.0))
    wait_for(lambda: one.told == ["late CellTimeout"], "it is told")
    one.put("next")
    wait_for(lambda: one.told[1:] == ["next sent"], "the next one is sent")
    assert one.deliveries == [("a", True)]


def test_a_stall_gives_up_the_whole_cast(batches: Callable[..., Batches]) -> None:
    one = batches(send_timeout_seconds=0.2)
    one.driver.hang("a's casts")
    one.hold("1", "2", "3")
    one.driver.go_on("a")
    one.wait_until(A, "cast 1+2+3")
    one.put("behind")
    wait_for(lambda: len(one.told) == 5, "all are told")
    assert one.told == ["first sent", *(f"{text} NeighborUnreachable" for text in ("1", "2", "3", "behind"))]
    # The broker may have the cast and be slow to say so; what waited behind it was never sent.
    assert [getattr(one.failures[text], "may_arrive", None) for text in ("1", "2", "3", "behind")] == [
        True,
        True,
        True,
        None,
    ]
    assert one.counters.as_dict() == {"sent": 1, "undelivered.NeighborUnreachable": 4}


def test_what_was_given_up_is_told_once_whatever_the_broker_does_in_the_end(batches: Callable[..., Batches]) -> None:
    one = batches(send_timeout_seconds=0.2)
    one.driver.hang("a's casts")
    one.hold("1", "2")
    one.put("late", like=late(-1.0))
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 4, "all are told")
    one.driver.go_on("a's casts")
    one.wait_until(A, "sent first", "sent 1+2")

    def is_sent() -> bool:
        one.put("next")
        return "next sent" in one.told

    # While the thread hung its link took nothing; when it takes this, the cast is through with.
    wait_for(is_sent, "the link takes messages again")
    told = [line for line in one.told if not line.startswith("next")]
    assert sorted(line.split()[0] for line in told) == ["1", "2", "first", "late"]


def test_a_queue_that_is_full_of_bytes_is_an_error_at_once(batches: Callable[..., Batches]) -> None:
    one = batches(queue_bytes=10)
    one.hold("a" * 8, "b" * 8)
    assert one.told == [f"{'b' * 8} NeighborBusy"]
    assert "send_queue_bytes" in one.failures["b" * 8].message
    assert one.failures["b" * 8].cell == "a"
    one.driver.go_on("a")
    wait_for(lambda: len(one.told) == 3, "the others are sent")
    one.put("c" * 8)
    wait_for(lambda: one.told[-1] == f"{'c' * 8} sent", "there is room again")

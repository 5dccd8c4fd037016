"""A neighbor with a slow, dead or hung broker costs the other neighbors nothing."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from cells import exceptions
from cells.worker_threads import Thread, start_thread
from tests.clock import Clock
from tests.unit.links.conftest import Make
from tests.unit.links.harness import ALONE, A, B, C, D, neighbor, wait_for

UNREACHABLE = exceptions.NeighborUnreachable("The broker is down.", cell="a")


def test_messages_are_sent_in_their_order(make: Make) -> None:
    harness = make()
    numbers = [str(number) for number in range(20)]
    harness.send(A, *numbers)
    harness.wait_until(A, *(f"sent {number}" for number in numbers))
    wait_for(lambda: harness.counters.as_dict() == {"sent": 20}, "all are counted")
    assert set(harness.deliveries) == {("a", True)}
    assert harness.failures == {}


def test_a_hung_neighbor_delays_no_other(make: Make) -> None:
    harness = make()
    harness.hang_sending(A, "1")
    harness.send(B, "2")
    harness.wait_until(B, "sent 2")
    assert harness.driver.of(A, "sent") == []


def test_messages_queued_during_a_failed_attempt_fail_with_it(make: Make) -> None:
    harness = make()
    harness.driver.failures["a"] = UNREACHABLE
    harness.hang_sending(A, "1")
    harness.send(A, "2", "3")
    harness.driver.resume("a")
    wait_for(lambda: len(harness.failures) == 3, "all three have failed")
    assert {error.message for error in harness.failures.values()} == {UNREACHABLE.message}
    assert harness.driver.of(A, "try") == ["try 1"]
    assert harness.deliveries == [("a", False)]


def test_a_message_behind_an_uncertain_attempt_cannot_have_arrived(make: Make) -> None:
    """Its cast counts as lost, and its call may try another cell."""
    harness = make()
    text = f"The connection broke. {exceptions.MAY_HAVE_ARRIVED}"
    harness.driver.failures["a"] = exceptions.NeighborUnreachable(text, cell="a", may_arrive=True)
    harness.hang_sending(A, "1")
    harness.send(A, "2")
    harness.driver.resume("a")
    wait_for(lambda: len(harness.failures) == 2, "both have failed")
    first, second = harness.failures["1"], harness.failures["2"]
    assert (first.message, first.kwargs.get("may_arrive")) == (text, True)
    assert (second.message, second.kwargs.get("may_arrive")) == ("The connection broke.", None)
    assert harness.driver.of(A, "try") == ["try 1"]


def test_a_message_after_a_failed_attempt_is_a_new_attempt(make: Make) -> None:
    harness = make()
    harness.driver.failures["a"] = UNREACHABLE
    harness.send(A, "1")
    wait_for(lambda: "1" in harness.failures, "the first message has failed")
    del harness.driver.failures["a"]
    harness.send(A, "2")
    harness.wait_until(A, "try 1", "try 2")
    wait_for(lambda: harness.deliveries == [("a", False), ("a", True)], "both attempts are reported")
    assert list(harness.failures) == ["1"]
    assert harness.counters.as_dict() == {"undelivered.NeighborUnreachable": 1, "sent": 1}


def test_a_bug_of_a_driver_is_an_unreachable_neighbor(make: Make) -> None:
    harness = make()
    harness.driver.failures["a"] = ZeroDivisionError("oops")
    harness.send(A, "1")
    harness.wait_until_told("1 NeighborUnreachable")
    assert "ZeroDivisionError: oops" in harness.failures["1"].message
    del harness.driver.failures["a"]
    harness.send(A, "2")
    harness.wait_until(A, "sent 2")


def test_an_unknown_driver_is_an_error_of_the_message(make: Make) -> None:
    harness = make()
    stranger = neighbor("d", driver="pigeon")
    harness.send(stranger, "1")
    harness.wait_until_told("1 PluginError")
    assert not harness.links.reaches_clients(stranger)
    harness.links.forget(stranger)
    wait_for(lambda: len(harness.links) == 0, "its link ends")


def test_an_idle_link_is_closed_and_opened_again(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock, idle_seconds=0.05)
    for lines in (["sent 1", "close"], ["sent 1", "close", "sent 2", "close"]):
        harness.send(A, lines[-2].split()[1])
        harness.wait_until(A, *lines[:-1])
        assert len(harness.links) == 1
        clock.advance(0.06)
        harness.wait_until(A, *lines)
        wait_for(lambda: len(harness.links) == 0, "its link has ended")
    assert harness.failures == {}


def test_the_longest_idle_link_is_closed_when_there_are_too_many(make: Make) -> None:
    harness = make(open_links=2)
    for cell in (A, B, C):
        harness.send(cell, "1")
        harness.wait_until(cell, "sent 1")
    harness.wait_until(A, "close")
    wait_for(lambda: len(harness.links) == 2, "two are left")
    assert harness.driver.of(B, "close") == harness.driver.of(C, "close") == []
    record = harness.driver.record
    assert record.index(f"close {A.transport_url}") < record.index(f"try {C.transport_url} 1")


def test_a_busy_link_is_not_closed_for_another(make: Make) -> None:
    harness = make(open_links=1)
    harness.hang_sending(A, "1")
    harness.send(B, "1")
    harness.send(A, "2")
    harness.driver.resume("a")
    harness.wait_until(A, "sent 1", "sent 2", "close")
    harness.wait_until(B, "sent 1")


def test_each_of_two_new_links_gets_a_slot(make: Make) -> None:
    harness = make(open_links=2)
    for cell in (A, B):
        harness.send(cell, "1")
        harness.wait_until(cell, "sent 1")
    harness.driver.hang("closing a")
    harness.send(C, "1")
    harness.wait_until(A, "closing")
    # Both find that the link to a closes; its slot is for one of them.
    harness.send(D, "1")
    wait_for(lambda: harness.links.slots.is_crowded, "d waits for a slot")
    harness.driver.resume("closing a")
    harness.wait_until(C, "sent 1")
    harness.wait_until(D, "sent 1")


def test_a_removed_neighbor_gets_its_queued_messages(make: Make) -> None:
    harness = make()
    harness.driver.hang("a")
    harness.send(A, "1", "2", "3")
    harness.wait_until(A, "try 1")
    harness.links.forget(A)
    harness.driver.resume("a")
    harness.wait_until(A, "sent 1", "sent 2", "sent 3", "close")
    wait_for(lambda: len(harness.links) == 0, "its link has ended")


def test_a_link_is_closed_before_its_successor_opens(make: Make) -> None:
    harness = make()
    moved = neighbor("a", "there")
    harness.hang_sending(A, "1")
    harness.send(moved, "2")
    assert harness.driver.of(moved, "try") == []
    harness.driver.resume("a")
    harness.wait_until(moved, "sent 2")
    record = harness.driver.record
    assert record.index(f"close {A.transport_url}") < record.index(f"try {moved.transport_url} 2")


def test_a_successor_waits_for_a_link_that_closes_by_itself(make: Make) -> None:
    harness = make()
    harness.hang_sending(A, "1")
    harness.links.forget(A)
    harness.send(A, "2")
    harness.driver.resume("a")
    harness.wait_until(A, "try 1", "sent 1", "close", "try 2", "sent 2")


def test_messages_behind_a_hung_predecessor_are_given_up_in_time(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock, send_timeout_seconds=0.05)
    moved = neighbor("a", "there")
    harness.hang_sending(A, "1")
    harness.send(A, "2")
    harness.send(moved, "3")
    assert harness.failures == {}
    clock.advance(1)
    wait_for(lambda: harness.failures.keys() == {"1", "2", "3"}, "all three are given up")
    harness.driver.resume("a")
    wait_for(lambda: harness.driver.of(A, "close"), "the old link is closed")

    def is_sent() -> bool:
        harness.send(moved, "4")
        return bool(harness.driver.of(moved, "sent"))

    wait_for(is_sent, "messages take the new link")


def test_the_error_of_a_stall_does_not_grow_with_every_message(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock, send_timeout_seconds=0.05)
    harness.hang_sending(A, "1")
    clock.advance(1)
    harness.wait_until_told("1 NeighborUnreachable")
    harness.send(A, "2", "3", "4")
    assert len({len(traceback.format_exception(harness.failures[text])) for text in ("2", "3", "4")}) == 1
    assert type(harness.failures["4"]) is exceptions.NeighborUnreachable


def test_forgetting_waits_for_the_present_send_as_long_as_it_may(make: Make) -> None:
    harness = make()
    harness.links.forget(A, 10)
    harness.hang_sending(A, "1")
    harness.links.forget(A, 0.05)
    assert harness.driver.of(A, "sent") == []
    harness.driver.resume("a")
    harness.links.forget(A, 10)
    assert harness.driver.of(A, "sent", "close") == ["sent 1", "close"]


def test_stop_sends_the_queued_messages(make: Make) -> None:
    harness = make()
    numbers = [str(number) for number in range(50)]
    harness.send(A, *numbers)
    harness.links.stop(10)
    assert harness.driver.of(A, "sent", "close") == [*(f"sent {number}" for number in numbers), "close"]
    harness.links.stop(10)


def test_stop_does_not_wait_for_a_hung_neighbor_for_long(make: Make) -> None:
    harness = make()
    harness.driver.hang("a")
    harness.send(A, "1")
    harness.send(B, "1")
    harness.wait_until(A, "try 1")
    started = time.monotonic()
    harness.links.stop(0.2)
    assert time.monotonic() - started < 5
    harness.wait_until(B, "sent 1", "close")


def test_after_the_stop_messages_are_given_up_and_open_no_link(make: Make) -> None:
    harness = make()
    harness.links.stop(10)
    harness.send(A, "1")
    assert harness.told == ["1 NeighborUnreachable"]
    assert len(harness.links) == 0
    assert harness.driver.record == []


def test_many_senders_lose_nothing(make: Make) -> None:
    harness = make(idle_seconds=0.001, open_links=1)

    def send_all(sender: int) -> None:
        for number in range(100):
            harness.send((A, B, C)[number % 3], f"{sender}/{number}", like=ALONE)

    threads = [threading.Thread(target=send_all, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    wait_for(lambda: harness.counters.as_dict().get("sent") == 800, "all are sent")
    assert harness.failures == {}
    sent = [line for cell in (A, B, C) for line in harness.driver.of(cell, "sent")]
    assert len(sent) == len(set(sent)) == 800


def test_the_backlog_of_a_neighbor_has_the_message_that_is_being_sent(make: Make) -> None:
    harness = make()
    harness.hang_sending(A, "1")
    harness.send(A, "2")
    count, size_bytes, _ = harness.links.backlogs()["a"]
    assert (count, size_bytes > 0) == (2, True)


def test_the_size_of_casts_and_the_wait_for_the_broker_are_measured(make: Make) -> None:
    harness = make()
    harness.send(A, "1")
    harness.wait_until(A, "sent 1")
    wait_for(lambda: harness.counters.send_seconds.buckets().counts[-1] == ("+Inf", 1), "the wait is measured")
    assert harness.counters.sent_together.buckets().total == 1


class Threads:
    """Starts threads, but for the first ones: the system has none left."""

    def __init__(self, missing: int) -> None:
        self.missing = missing

    def spawn(self, work: Callable[[], None], name: str) -> Thread:
        if self.missing:
            self.missing -= 1
            raise RuntimeError("can't start new thread")
        return start_thread(work, name)


def test_messages_for_which_there_was_no_thread_are_sent_when_there_is_one(make: Make) -> None:
    threads = Threads(missing=2)
    harness = make(spawn=threads.spawn, send_timeout_seconds=0.2)
    harness.send(A, "1")
    assert threads.missing == 0
    harness.send(A, "2")
    harness.wait_until(A, "sent 1", "sent 2")


def test_a_successor_takes_no_slot_while_it_waits(make: Make) -> None:
    harness = make(open_links=2)
    harness.hang_sending(A, "1")
    harness.send(neighbor("a", "there"), "2")
    harness.send(B, "1")
    harness.wait_until(B, "sent 1")
    harness.driver.resume("a")
    harness.wait_until(neighbor("a", "there"), "sent 2")

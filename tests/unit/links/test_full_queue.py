"""A full queue refuses messages at once; a sender may wait for room if the neighbor takes messages."""

from __future__ import annotations

import threading
import time

from cells import exceptions
from cells.links.link import FULL_QUEUE_BACKOFF_SECONDS
from tests.clock import Clock
from tests.unit.links.conftest import Make
from tests.unit.links.harness import ALONE, HOUR, ITEM, A, B, Harness, wait_for


def full(make: Make, clock: Clock | None = None, **limits: float) -> Harness:
    """Return links whose queue for A is full: 1 hangs, 2 is queued."""
    harness = make(clock=clock or time.monotonic, queue_size=1, **limits)
    fill(harness)
    return harness


def fill(harness: Harness) -> None:
    harness.driver.hang("a")
    harness.send(A, "1")
    wait_for(lambda: "try 1" in harness.driver.of(A, "try"), "the first send hangs")
    harness.send(A, "2")


def start_waiting(harness: Harness, text: str, room_deadline: float) -> threading.Thread:
    """Send a message on a thread that waits for room."""
    waiting = threading.Thread(target=harness.send, args=(A, text), kwargs={"room_deadline": room_deadline})
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    return waiting


def test_a_full_queue_is_an_error_at_once(make: Make) -> None:
    harness = full(make)
    harness.send(A, "3")
    assert harness.told == ["3 NeighborBusy"]
    assert harness.failures["3"].cell == "a"
    assert "send_queue_size" in harness.failures["3"].message
    assert harness.counters.as_dict()["undelivered.NeighborBusy"] == 1
    harness.driver.resume("a")
    harness.wait_until(A, "sent 1", "sent 2")
    harness.send(A, "4")
    harness.wait_until(A, "sent 1", "sent 2", "sent 4")
    harness.wait_until_told("3 NeighborBusy", "1 sent", "2 sent", "4 sent")


def test_a_queue_that_is_full_of_bytes_is_an_error_at_once(make: Make) -> None:
    harness = make(queue_bytes=10)
    harness.queue_behind_first("a" * 8, "b" * 8)
    assert harness.told == [f"{'b' * 8} NeighborBusy"]
    assert "send_queue_bytes" in harness.failures["b" * 8].message
    assert harness.failures["b" * 8].cell == "a"
    harness.driver.resume("a")
    wait_for(lambda: len(harness.told) == 3, "the others are sent")
    harness.send(A, "c" * 8, like=ITEM)
    wait_for(lambda: harness.told[-1] == f"{'c' * 8} sent", "there is room again")


def test_a_sender_that_waits_gets_room_when_the_neighbor_takes_messages(make: Make) -> None:
    harness = full(make)
    waiting = start_waiting(harness, "3", time.monotonic() + 30)
    harness.send(A, "4")
    assert waiting.is_alive()
    harness.driver.resume("a")
    waiting.join(10)
    harness.wait_until_told("4 NeighborBusy", "1 sent", "2 sent", "3 sent")
    assert harness.driver.of(A, "sent") == ["sent 1", "sent 2", "sent 3"]


def test_a_sender_does_not_wait_for_a_neighbor_that_failed(make: Make) -> None:
    harness = make(queue_size=1)
    harness.driver.failures["a"] = exceptions.NeighborUnreachable("away")
    harness.send(A, "0")
    harness.wait_until_told("0 NeighborUnreachable")
    fill(harness)
    harness.send(A, "3", room_deadline=time.monotonic() + HOUR)
    assert harness.told[1:] == ["3 NeighborBusy"]


def test_after_a_wait_in_vain_senders_do_not_wait_for_a_while(make: Make) -> None:
    clock = Clock()
    harness = full(make, clock)
    waiting = start_waiting(harness, "3", clock.now + 0.01)
    clock.advance(0.01)
    waiting.join(10)
    assert harness.told == ["3 NeighborBusy"]
    for text in ("4", "5"):
        harness.send(A, text, room_deadline=clock.now + HOUR)
    assert harness.told == [f"{text} NeighborBusy" for text in "345"]
    # Another neighbor is not affected.
    harness.driver.hang("b")
    harness.send(B, "1")
    harness.wait_until(B, "try 1")
    harness.send(B, "2")
    other = threading.Thread(target=harness.send, args=(B, "6"), kwargs={"room_deadline": clock.now + 30})
    other.start()
    other.join(0.05)
    assert other.is_alive()
    harness.driver.resume("b")
    other.join(10)
    harness.wait_until(B, "sent 1", "sent 2", "sent 6")
    # Nor does the neighbor stay without a wait for ever.
    clock.advance(FULL_QUEUE_BACKOFF_SECONDS)
    waiting = start_waiting(harness, "7", clock.now + 30)
    harness.driver.resume("a")
    waiting.join(10)
    harness.wait_until(A, "sent 1", "sent 2", "sent 7")


def test_a_stall_ends_the_wait_for_room(make: Make) -> None:
    """A stall makes room, but the neighbor takes no message."""
    clock = Clock()
    harness = full(make, clock, send_timeout_seconds=0.2)
    waiting = start_waiting(harness, "3", clock.now + HOUR)
    clock.advance(1)
    waiting.join(10)
    assert not waiting.is_alive()
    wait_for(lambda: "3" in harness.failures, "it is refused")
    assert type(harness.failures["3"]) is exceptions.NeighborUnreachable
    assert "send_timeout" in harness.failures["3"].message


def test_a_sender_that_waits_while_the_link_closes_gets_the_next_link(make: Make) -> None:
    harness = full(make)
    waiting = start_waiting(harness, "3", time.monotonic() + 30)
    harness.links.forget(A)
    waiting.join(10)
    assert not waiting.is_alive()
    harness.driver.resume("a")
    harness.wait_until(A, "sent 1", "sent 2", "close", "sent 3")
    assert harness.failures == {}


def test_messages_that_are_sent_together_find_room_one_by_one(make: Make) -> None:
    harness = full(make)
    waiting = threading.Thread(
        target=harness.links.send,
        args=(A, [(ALONE, lambda error: harness.told.append(str(error)), lambda: harness.told.append("sent"))] * 3),
        kwargs={"room_deadline": time.monotonic() + 30},
    )
    waiting.start()
    harness.driver.resume("a")
    waiting.join(10)
    harness.wait_until_told("1 sent", "2 sent", *["sent"] * 3)

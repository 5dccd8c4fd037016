"""Who waits for room in a full queue, for how long, and where that helps nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from cells import exceptions
from cells.links.link import FULL_QUEUE_BACKOFF_SECONDS
from tests.unit.links.test_links import A, B, Office, wait_for


def test_who_may_wait_gets_room_when_the_neighbor_takes_what_is_sent(office: Callable[..., Office]) -> None:
    desk = office(queue_size=1)
    desk.driver.hang("a")
    desk.send(A, "1")
    wait_for(lambda: desk.driver.of(A, "try") == ["try 1"], "the first is under way")
    desk.send(A, "2")
    waiting = threading.Thread(target=desk.send, args=(A, "3"), kwargs={"room_deadline": time.monotonic() + 30})
    waiting.start()
    desk.send(A, "4")
    assert waiting.is_alive()
    assert isinstance(desk.failures.pop("4"), exceptions.NeighborBusy)
    desk.driver.go_on("a")
    waiting.join(10)
    wait_for(lambda: desk.driver.of(A, "sent") == ["sent 1", "sent 2", "sent 3"], "nothing else is lost")
    assert not desk.failures


def test_nobody_waits_for_longer_than_he_may(office: Callable[..., Office]) -> None:
    desk = office(queue_size=1)
    desk.driver.hang("a")
    desk.send(A, "1")
    wait_for(lambda: desk.driver.of(A, "try") == ["try 1"], "the first is under way")
    desk.send(A, "2")
    desk.send(A, "3", room_deadline=time.monotonic() + 0.01)
    assert isinstance(desk.failures["3"], exceptions.NeighborBusy)


def test_nobody_waits_for_room_at_a_neighbor_that_takes_nothing(office: Callable[..., Office]) -> None:
    desk = office(queue_size=1)
    desk.driver.failures["a"] = exceptions.NeighborUnreachable("away")
    desk.send(A, "1")
    wait_for(lambda: "1" in desk.failures, "the first has failed")
    desk.driver.hang("a")
    desk.send(A, "2")
    wait_for(lambda: desk.driver.of(A, "try") == ["try 1", "try 2"], "the second is under way")
    desk.send(A, "3")
    desk.send(A, "4", room_deadline=time.monotonic() + 3600)
    assert isinstance(desk.failures["4"], exceptions.NeighborBusy)


def test_nobody_waits_for_room_again_soon_where_that_did_not_help(office: Callable[..., Office]) -> None:
    desk = office(queue_size=1)
    desk.driver.hang("a")
    desk.send(A, "1")
    desk.wait_until(A, "try 1")
    desk.send(A, "2")
    started = time.monotonic()
    desk.send(A, "3", room_deadline=started + 0.2)
    assert time.monotonic() - started >= 0.2
    for text in ("4", "5"):
        desk.send(A, text, room_deadline=time.monotonic() + 3600)
    assert time.monotonic() - started < FULL_QUEUE_BACKOFF_SECONDS
    assert {text: type(error) for text, error in desk.failures.items()} == dict.fromkeys(
        ("3", "4", "5"), exceptions.NeighborBusy
    )
    # It is not held against another neighbor.
    desk.driver.hang("b")
    desk.send(B, "1")
    desk.wait_until(B, "try 1")
    desk.send(B, "2")
    waiting = threading.Thread(target=desk.send, args=(B, "6"), kwargs={"room_deadline": time.monotonic() + 30})
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    desk.driver.go_on("b")
    waiting.join(10)
    desk.wait_until(B, "sent 1", "sent 2", "sent 6")


def test_who_was_patient_in_vain_may_be_so_again_after_a_while(
    office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cells.links.link.FULL_QUEUE_BACKOFF_SECONDS", 0.0)
    desk = office(queue_size=1)
    desk.driver.hang("a")
    desk.send(A, "1")
    desk.wait_until(A, "try 1")
    desk.send(A, "2")
    desk.send(A, "3", room_deadline=time.monotonic() + 0.01)
    assert list(desk.failures) == ["3"]
    waiting = threading.Thread(target=desk.send, args=(A, "4"), kwargs={"room_deadline": time.monotonic() + 30})
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    desk.driver.go_on("a")
    waiting.join(10)
    desk.wait_until(A, "sent 1", "sent 2", "sent 4")


def test_who_waits_for_room_while_the_neighbor_is_found_to_hang_is_told_so(office: Callable[..., Office]) -> None:
    """A stall makes room, but not for what nobody takes."""
    desk = office(queue_size=1, send_timeout_seconds=0.2)
    desk.driver.hang("a")
    desk.send(A, "1")
    desk.wait_until(A, "try 1")
    desk.send(A, "2")
    started = time.monotonic()
    desk.send(A, "3", room_deadline=started + 3600)
    assert time.monotonic() - started < 10
    assert type(desk.failures["3"]) is exceptions.NeighborUnreachable
    assert "has not taken a message for 0.2 seconds" in desk.failures["3"].message
    desk.driver.go_on("a")


def test_who_waits_for_room_while_the_link_is_closed_gets_the_next_one(office: Callable[..., Office]) -> None:
    desk = office(queue_size=1)
    desk.driver.hang("a")
    desk.send(A, "1")
    desk.wait_until(A, "try 1")
    desk.send(A, "2")
    waiting = threading.Thread(target=desk.send, args=(A, "3"), kwargs={"room_deadline": time.monotonic() + 30})
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    desk.links.forget(A)
    waiting.join(10)
    assert not waiting.is_alive()
    desk.driver.go_on("a")
    desk.wait_until(A, "sent 1", "sent 2", "close", "sent 3")
    assert desk.failures == {}

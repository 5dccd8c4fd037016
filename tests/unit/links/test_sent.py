"""Who wants to know whether a message got away is told once: that it did, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cells import exceptions
from tests.unit.links.test_links import A, Office, message, wait_for


class Reported:
    """What an link has said of its messages."""

    def __init__(self, one: Office) -> None:
        self._one = one
        self.lines: list[str] = []

    def send(self, text: str, on_sent: Callable[[], object] | None = None) -> None:
        def fail(error: exceptions.CellsError) -> None:
            self.lines.append(f"{text} {type(error).__name__}")

        self._one.links.send(A, message(text), fail, on_sent or (lambda: self.lines.append(f"{text} sent")))


@pytest.fixture
def make() -> Iterator[Callable[..., tuple[Office, Reported]]]:
    opened: list[Office] = []

    def make(**limits: Any) -> tuple[Office, Reported]:
        opened.append(Office(**limits))
        return opened[-1], Reported(opened[-1])

    yield make
    for one in opened:
        one.driver.go_on_all()
        one.links.stop(10)


def test_it_is_told_when_the_broker_has_it_and_not_before(make: Any) -> None:
    one, reported = make()
    one.driver.hang("a")
    reported.send("1")
    one.wait_until(A, "try 1")
    assert reported.lines == []
    one.driver.go_on("a")
    wait_for(lambda: reported.lines == ["1 sent"], "it is told")


def test_a_failure_is_told_once_and_nothing_else(make: Any) -> None:
    one, reported = make()
    one.driver.failures["a"] = exceptions.NeighborUnreachable("away")
    reported.send("1")
    wait_for(lambda: reported.lines == ["1 NeighborUnreachable"], "it is told")
    del one.driver.failures["a"]
    reported.send("2")
    wait_for(lambda: reported.lines[1:] == ["2 sent"], "the next one gets away")


def test_what_was_given_up_and_gets_away_after_all_is_told_once(make: Any) -> None:
    one, reported = make(send_timeout_seconds=0.05)
    one.driver.hang("a")
    reported.send("1")
    wait_for(lambda: reported.lines == ["1 NeighborUnreachable"], "it is given up")
    one.driver.go_on("a")
    one.wait_until(A, "sent 1")
    # While the thread hung its link took nothing; when it takes this, the first one is through with.
    wait_for(lambda: reported.send("2") or "2 sent" in reported.lines, "the link takes messages again")
    assert [line for line in reported.lines if line.startswith("1 ")] == ["1 NeighborUnreachable"]


def test_a_full_queue_is_told_once(make: Any) -> None:
    one, reported = make(queue_size=1)
    one.driver.hang("a")
    reported.send("1")
    one.wait_until(A, "try 1")
    reported.send("2")
    reported.send("3")
    assert reported.lines == ["3 NeighborBusy"]
    one.driver.go_on("a")
    wait_for(lambda: len(reported.lines) == 3, "all are told")
    assert reported.lines == ["3 NeighborBusy", "1 sent", "2 sent"]


def test_a_bug_of_who_is_told_does_not_end_the_thread(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, reported = make()

    def fail() -> None:
        raise ValueError("a bug")

    reported.send("1", fail)
    reported.send("2")
    wait_for(lambda: reported.lines == ["2 sent"], "the next one is told")
    assert "callback of a message failed" in caplog.text


def test_what_comes_after_the_end_is_given_up_and_opens_no_link(make: Any) -> None:
    one, reported = make()
    one.links.stop(10)
    reported.send("1")
    assert reported.lines == ["1 NeighborUnreachable"]
    assert len(one.links) == 0
    assert one.driver.diary == []


def test_one_that_becomes_idle_has_told_all_and_takes_more(make: Any) -> None:
    one, reported = make()
    one.driver.hang("a")
    reported.send("1", lambda: reported.send("2"))
    one.wait_until(A, "try 1")
    one.links.wait_until_idle(0.01)
    assert reported.lines == []
    one.driver.go_on("a")
    # What is sent because something was sent belongs to it.
    one.links.wait_until_idle(10)
    assert reported.lines == ["2 sent"]
    reported.send("3")
    one.links.wait_until_idle(10)
    assert reported.lines == ["2 sent", "3 sent"]


def test_without_anything_to_send_all_is_idle_at_once(make: Any) -> None:
    one, _ = make()
    one.links.wait_until_idle(10)

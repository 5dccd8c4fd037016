"""What nobody waits for is told later, all of it, and whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cells.routing.receipts import Receipts
from tools.polling import poll

NEVER_SECONDS = 3600.0


@pytest.fixture
def receipts() -> Iterator[Receipts]:
    receipts = Receipts(0.01)
    yield receipts
    receipts.stop()


def test_each_is_told_once_in_its_order_on_another_thread(receipts: Receipts) -> None:
    told: list[int] = []
    threads: set[int] = set()

    def tell(number: int) -> None:
        told.append(number)
        threads.add(threading.get_ident())

    for number in range(50):
        receipts.add(lambda number=number: tell(number))  # type: ignore[misc]
    poll(lambda: len(told) == 50, "all are told")
    receipts.add(lambda: tell(50))
    poll(lambda: len(told) == 51, "and what comes after a rest")
    assert told == list(range(51))
    assert threading.get_ident() not in threads


def test_what_comes_soon_after_is_told_with_it() -> None:
    receipts = Receipts(0.2)
    told_at: list[float] = []
    started_at = time.monotonic()
    for _ in range(3):
        receipts.add(lambda: told_at.append(time.monotonic()))
    poll(lambda: len(told_at) == 3, "all are told")
    assert min(told_at) - started_at >= 0.2
    receipts.stop()


def test_what_is_left_when_it_stops_is_told_then() -> None:
    receipts = Receipts(NEVER_SECONDS)
    told: list[str] = []
    receipts.add(lambda: told.append("waited"))
    receipts.stop()
    assert told == ["waited"]
    receipts.stop()
    receipts.add(lambda: told.append("late"))
    assert told == ["waited", "late"]


def test_one_that_fails_costs_no_other(receipts: Receipts, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    receipts.add(lambda: told[0])
    receipts.add(lambda: told.append("next"))
    poll(lambda: told == ["next"], "the next one is told")
    assert "could not be told" in caplog.text


def test_without_a_thread_it_is_told_at_once(receipts: Receipts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        receipts.add(lambda: told.append("at once"))
    assert told == ["at once"]
    receipts.add(lambda: told.append("later"))
    poll(lambda: told == ["at once", "later"], "it has one now")


def test_one_that_was_never_used_has_no_thread_and_stops() -> None:
    before = threading.active_count()
    receipts = Receipts()
    assert threading.active_count() == before
    receipts.stop()

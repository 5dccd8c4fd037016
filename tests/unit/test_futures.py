"""Futures that follow from others: each is completed once, whatever the others come to."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import Any

import pytest

from cells.futures import gather, then
from cells.transport.server import LongAnswer

Future = futures.Future


def done(value: Any = None, error: Exception | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
    return future


def test_then_converts_what_comes_now_or_later() -> None:
    assert then(done(20), lambda value: value + 1).result(0) == 21
    source: Future[int] = Future()
    converted = then(source, lambda value: value + 1)
    assert not converted.done()
    source.set_result(1)
    assert converted.result(0) == 2


def test_then_passes_errors_through() -> None:
    error = KeyError("far")
    assert then(done(error=error), str).exception(0) is error


def test_what_convert_raises_is_the_error() -> None:
    assert isinstance(then(done("x"), int).exception(0), ValueError)


def test_a_source_that_was_canceled_is_an_error_and_not_silence() -> None:
    source: Future[int] = Future()
    converted, gathered = then(source, str), gather({"a": source}, dict)
    source.cancel()
    assert isinstance(converted.exception(0), futures.CancelledError)
    assert isinstance(gathered.exception(0), futures.CancelledError)


def test_then_completes_the_future_that_it_is_given() -> None:
    answer: LongAnswer[int] = LongAnswer()
    assert then(done(1), lambda value: value, into=answer) is answer
    assert answer.result(0) == 1


def test_gather_waits_for_the_last() -> None:
    sources: dict[str, Future[int]] = {name: Future() for name in "abc"}
    gathered = gather(sources, dict)
    for number, name in enumerate("cab"):
        assert not gathered.done()
        sources[name].set_result(number)
    assert gathered.result(0) == {"a": 1, "b": 2, "c": 0}
    assert list(gathered.result(0)) == ["a", "b", "c"]


def test_gather_of_nothing_is_there_at_once() -> None:
    assert gather({}, dict).result(0) == {}


def test_gather_waits_for_all_and_has_the_error_of_one() -> None:
    late: Future[int] = Future()
    gathered = gather({"bad": done(error=KeyError("far")), "late": late, "good": done(1)}, dict)
    assert not gathered.done()
    late.set_result(2)
    assert isinstance(gathered.exception(0), KeyError)


def test_what_the_conversion_of_all_raises_is_the_error() -> None:
    def fail(_: Any) -> None:
        raise ValueError("no")

    assert isinstance(gather({"a": done(1)}, fail).exception(0), ValueError)
    assert isinstance(gather({}, fail).exception(0), ValueError)


def test_gather_is_complete_once_if_all_come_at_the_same_time(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        sources: dict[int, Future[int]] = {number: Future() for number in range(4)}
        gathered, ready = gather(sources, dict), threading.Barrier(4)

        def complete(number: int, source: Future[int], ready: threading.Barrier = ready) -> None:
            ready.wait(10)
            source.set_result(number)

        threads = [threading.Thread(target=complete, args=item) for item in sources.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert gathered.result(10) == {number: number for number in range(4)}
    # What goes wrong in a callback of a future gets no further than the log.
    assert caplog.records == []

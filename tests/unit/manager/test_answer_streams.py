"""Answers of many cells: each is handed out once, as soon as the client fetches, and none is kept forever."""

from __future__ import annotations

import threading

import pytest

from cells import exceptions
from cells.manager.answer_streams import KEEP_SECONDS, AnswerStream, AnswerStreams
from tests.cases import each
from tests.clock import Clock


def stream(expected: int | None) -> AnswerStream:
    return AnswerStream(0.0, expected)


def test_answers_that_are_there_are_handed_out_at_once_and_once() -> None:
    answers = stream(3)
    answers.add("b")
    answers.add("a")
    assert answers.next().result(0) == {"answers": ["b", "a"], "is_complete": False}
    assert not answers.next().done()


def test_a_fetch_that_waits_gets_the_next_answers() -> None:
    answers = stream(2)
    batch = answers.next()
    assert answers.next() is batch
    answers.add("b")
    assert batch.result(0) == {"answers": ["b"], "is_complete": False}
    last = answers.next()
    answers.add("a")
    assert last.result(0) == {"answers": ["a"], "is_complete": True}
    assert answers.next().result(0) == {"answers": [], "is_complete": True}


def test_a_fetch_waits_while_there_are_no_new_answers() -> None:
    answers = stream(None)
    batch = answers.next()
    answers.add()
    assert not batch.done()
    answers.finish()
    assert batch.result(0) == {"answers": [], "is_complete": True}


def test_a_stream_of_an_unknown_number_ends_when_it_is_finished() -> None:
    answers = stream(None)
    answers.add("a", "b")
    assert answers.next().result(0) == {"answers": ["a", "b"], "is_complete": False}
    last = answers.next()
    answers.finish("c")
    assert last.result(0) == {"answers": ["c"], "is_complete": True}


def test_a_stream_of_no_answers_is_complete() -> None:
    assert stream(0).next().result(0) == {"answers": [], "is_complete": True}


def test_no_answer_is_lost_between_threads_that_add_and_a_thread_that_fetches() -> None:
    answers = stream(200)
    adding = [
        threading.Thread(target=lambda part=part: [answers.add(number) for number in part])  # type: ignore[misc]
        for part in (range(100), range(100, 200))
    ]
    for thread in adding:
        thread.start()
    fetched: list[int] = []
    is_complete = False
    while not is_complete:
        batch = answers.next().result(10)
        fetched += batch["answers"]
        is_complete = batch["is_complete"]
    for thread in adding:
        thread.join(10)
    assert sorted(fetched) == list(range(200))


def test_streams_have_different_ids() -> None:
    streams = AnswerStreams(10)
    first_id, first = streams.start(5.0, 1)
    second_id, _ = streams.start(5.0, 1)
    first.add("a")
    assert streams.next(first_id).result(0)["is_complete"]
    assert not streams.next(second_id).done()


@each("stream_id", ["", "unknown", "x" * 10_000])
def test_an_unknown_id_is_an_error(stream_id: str) -> None:
    with pytest.raises(exceptions.InvalidArguments) as caught:
        AnswerStreams(10).next(stream_id)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("expected", [2, None])
def test_a_stream_that_is_stopped_is_forgotten_and_its_source_is_informed_once(expected: int | None) -> None:
    streams, stops = AnswerStreams(10), list[str]()
    stream_id, answers = streams.start(5.0, expected, lambda: stops.append("stopped"))
    answers.add("a")
    streams.stop("another")
    assert (stops, len(streams)) == ([], 1)
    streams.stop(stream_id)
    streams.stop(stream_id)
    assert (stops, len(streams)) == (["stopped"], 0)
    with pytest.raises(exceptions.InvalidArguments):
        streams.next(stream_id)
    # Late answers do no harm, and the answer from before the stop is not kept.
    answers.finish("b")
    assert answers.next().result(0)["answers"] == ["b"]


@pytest.mark.parametrize("expected", [1, None])
def test_a_complete_stream_has_no_source_to_stop(expected: int | None) -> None:
    streams, stops = AnswerStreams(10), list[str]()

    def start() -> tuple[str, AnswerStream]:
        return streams.start(5.0, expected, lambda: stops.append("stopped"))

    def complete(answers: AnswerStream) -> None:
        answers.add("a") if expected else answers.finish("a")

    stopped_id, stopped = start()
    complete(stopped)
    streams.stop(stopped_id)
    fetched_id, fetched = start()
    last = streams.next(fetched_id)
    complete(fetched)
    assert last.result(0)["is_complete"]
    assert (stops, len(streams)) == ([], 0)


def test_too_many_streams_are_refused() -> None:
    streams = AnswerStreams(2)
    ids = [streams.start(5.0, 1)[0] for _ in range(2)]
    with pytest.raises(exceptions.ManagerBusy, match="max_pending_calls"):
        streams.start(5.0, 1)
    streams.stop(ids[0])
    streams.start(5.0, 1)


def test_complete_streams_take_no_room() -> None:
    streams = AnswerStreams(1)
    for _ in range(3):
        stream_id, answers = streams.start(3600.0, 2)
        answers.add("a")
        assert not streams.next(stream_id).result(0)["is_complete"]
        last = streams.next(stream_id)
        answers.add("b")
        assert last.result(0)["is_complete"]
    streams.start(3600.0, 0)
    assert len(streams) == 0


def test_streams_that_are_not_fetched_are_forgotten_some_time_after_their_deadline() -> None:
    clock = Clock()
    streams = AnswerStreams(1, clock)
    streams.start(5.0, 1)
    clock.now += 5.0 + KEEP_SECONDS
    with pytest.raises(exceptions.ManagerBusy):
        streams.start(5.0, 1)
    clock.now += 0.1
    streams.start(5.0, 1)
    assert len(streams) == 1

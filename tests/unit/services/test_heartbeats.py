"""Beats: who waits hears that its call runs, until it does not any more, whatever the others do."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from cells.deadlines import LONGEST_SECONDS
from cells.services import heartbeats as module
from cells.services.heartbeats import BEATS, Beats
from tools.polling import poll

PATIENCE = 10.0
SOON_SECONDS = 0.003


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beats]:
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 0.0005)
    made = Beats()
    yield made
    is_idle(made)


def is_idle(beats: Beats) -> None:
    """It keeps nothing, and no thread, when no call is monitored."""
    poll(lambda: beats._thread is None, "the thread ends", timeout_seconds=PATIENCE, pause_seconds=0.001)
    assert beats._calls == {}


def test_a_caller_hears_again_and_again(beats: Beats) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = beats.start(lambda: heard.put(None), SOON_SECONDS)
    for _ in range(5):
        heard.get(timeout=PATIENCE)
    stop()
    is_idle(beats)


def test_calls_share_one_thread_and_a_later_one_gets_one_again(beats: Beats) -> None:
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()
    for _ in range(2):
        stops = [beats.start(lambda number=number: heard.put(number), SOON_SECONDS) for number in range(3)]  # type: ignore[misc]
        seen: set[int] = set()
        while len(seen) < 3:
            seen.add(heard.get(timeout=PATIENCE))
        assert [thread.name for thread in threading.enumerate()].count("cells-beats") == 1
        for stop in stops:
            stop()
        is_idle(beats)
        while not heard.empty():
            heard.get()


def test_to_stop_twice_is_no_error_and_stops_nobody_else(beats: Beats) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop_one = beats.start(lambda: None, SOON_SECONDS)
    stop_other = beats.start(lambda: heard.put(None), SOON_SECONDS)
    stop_one()
    stop_one()
    heard.get(timeout=PATIENCE)
    stop_other()


def test_one_that_fails_does_not_silence_the_others(beats: Beats, caplog: pytest.LogCaptureFixture) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()

    def fail() -> None:
        raise ValueError("a bug")

    stops = [beats.start(fail, SOON_SECONDS), beats.start(lambda: heard.put(None), SOON_SECONDS)]
    for _ in range(3):
        heard.get(timeout=PATIENCE)
    for stop in stops:
        stop()
    assert "could not be told" in caplog.text


@pytest.mark.parametrize("seconds", [LONGEST_SECONDS, 1e308])
def test_one_that_beats_almost_never_does_not_silence_the_others(beats: Beats, seconds: float) -> None:
    stop_one = beats.start(lambda: None, seconds)
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop_other = beats.start(lambda: heard.put(None), SOON_SECONDS)
    heard.get(timeout=PATIENCE)
    stop_other()
    stop_one()


def test_a_call_that_starts_and_ends_between_two_beats_leaves_nothing(beats: Beats) -> None:
    for _ in range(200):
        beats.start(lambda: None, 60.0)()
    is_idle(beats)


def test_threads_that_start_and_stop_at_once_lose_no_beats(beats: Beats) -> None:
    def one() -> None:
        for _ in range(20):
            heard = threading.Event()
            stop = beats.start(heard.set, SOON_SECONDS)
            assert heard.wait(PATIENCE)
            stop()
        done.put(None)

    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(4):
        threading.Thread(target=one, daemon=True).start()
    for _ in range(4):
        done.get(timeout=PATIENCE)


def test_a_caller_hears_several_times_within_the_silence_that_it_puts_up_with() -> None:
    now = [100.0]
    beats = Beats(lambda: now[0])
    stop = beats.start(lambda: None, 30.0)
    (call,) = beats._calls.values()
    assert call.next_at == 110.0
    assert BEATS == 3
    stop()
    is_idle(beats)


def test_no_caller_makes_it_beat_without_a_pause() -> None:
    beats = Beats(lambda: 100.0)
    stop = beats.start(lambda: None, 1e-300)
    (call,) = beats._calls.values()
    assert call.interval_seconds == module.SHORTEST_SECONDS == 0.2
    stop()
    is_idle(beats)

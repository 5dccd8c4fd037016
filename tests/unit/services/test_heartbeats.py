"""Heartbeats: callers hear periodically that their calls run, independently of each other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from cells.deadlines import LONGEST_SECONDS
from cells.services.heartbeats import Heartbeats
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
MONITOR_SECONDS = 0.003


@pytest.fixture
def heartbeats() -> Iterator[Heartbeats]:
    made = Heartbeats(min_interval_seconds=0.0005)
    yield made
    wait_until_idle(made)


def wait_until_idle(heartbeats: Heartbeats) -> None:
    poll(lambda: heartbeats.is_idle, "the thread ends", timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.001)


def test_a_caller_gets_heartbeats_until_the_stop(heartbeats: Heartbeats) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = heartbeats.start(lambda: heard.put(None), MONITOR_SECONDS)
    for _ in range(5):
        heard.get(timeout=TIMEOUT_SECONDS)
    stop()
    wait_until_idle(heartbeats)


def test_all_calls_share_one_thread_which_starts_again_on_demand(heartbeats: Heartbeats) -> None:
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = set(threading.enumerate())
    for _ in range(2):
        stops = [heartbeats.start(lambda number=number: heard.put(number), MONITOR_SECONDS) for number in range(3)]  # type: ignore[misc]
        seen: set[int] = set()
        while len(seen) < 3:
            seen.add(heard.get(timeout=TIMEOUT_SECONDS))
        started = set(threading.enumerate()) - before
        assert [thread.name for thread in started].count("cells-heartbeats") == 1
        for stop in stops:
            stop()
        wait_until_idle(heartbeats)
        while not heard.empty():
            heard.get()


def test_a_second_stop_affects_no_other_call(heartbeats: Heartbeats) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop_first = heartbeats.start(lambda: None, MONITOR_SECONDS)
    stop_second = heartbeats.start(lambda: heard.put(None), MONITOR_SECONDS)
    stop_first()
    stop_first()
    heard.get(timeout=TIMEOUT_SECONDS)
    stop_second()


def test_a_failing_call_does_not_silence_the_others(heartbeats: Heartbeats, caplog: pytest.LogCaptureFixture) -> None:
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()

    def fail() -> None:
        raise ValueError("a bug")

    stops = [heartbeats.start(fail, MONITOR_SECONDS), heartbeats.start(lambda: heard.put(None), MONITOR_SECONDS)]
    for _ in range(3):
        heard.get(timeout=TIMEOUT_SECONDS)
    for stop in stops:
        stop()
    assert "a bug" in caplog.text


@pytest.mark.parametrize("seconds", [LONGEST_SECONDS, 1e308])
def test_a_long_interval_does_not_silence_the_others(heartbeats: Heartbeats, seconds: float) -> None:
    stop_first = heartbeats.start(lambda: None, seconds)
    heard: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop_second = heartbeats.start(lambda: heard.put(None), MONITOR_SECONDS)
    heard.get(timeout=TIMEOUT_SECONDS)
    stop_second()
    stop_first()


def test_a_call_that_ends_before_its_first_heartbeat_leaves_nothing(heartbeats: Heartbeats) -> None:
    for _ in range(200):
        heartbeats.start(lambda: None, 60.0)()
    wait_until_idle(heartbeats)


def test_concurrent_starts_and_stops_lose_no_heartbeats(heartbeats: Heartbeats) -> None:
    def start_and_stop() -> None:
        for _ in range(20):
            heard = threading.Event()
            stop = heartbeats.start(heard.set, MONITOR_SECONDS)
            assert heard.wait(TIMEOUT_SECONDS)
            stop()
        done.put(None)

    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(4):
        threading.Thread(target=start_and_stop, daemon=True).start()
    for _ in range(4):
        done.get(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize(("monitor_seconds", "interval_seconds"), [(30.0, 10.0), (1e-300, 0.2)])
def test_three_heartbeats_fit_the_silence_but_have_pauses(monitor_seconds: float, interval_seconds: float) -> None:
    asked: queue.SimpleQueue[float] = queue.SimpleQueue()
    heard: queue.SimpleQueue[float] = queue.SimpleQueue()
    now = 100.0

    def clock() -> float:
        if threading.current_thread().name == "cells-heartbeats":
            asked.put(now)
        return now

    heartbeats = Heartbeats(clock)
    stop = heartbeats.start(lambda: heard.put(now), monitor_seconds)
    for now in (100.0 + 0.99 * interval_seconds, 100.0 + interval_seconds):
        heartbeats.start(lambda: None, 60.0)()  # wakes the thread
        while asked.get(timeout=TIMEOUT_SECONDS) != now:
            pass
    assert heard.get(timeout=TIMEOUT_SECONDS) == 100.0 + interval_seconds
    stop()
    wait_until_idle(heartbeats)

"""Threads for calls of services: a service that hangs keeps no other one waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cells import exceptions
from cells.services.thread_pools import ServiceThreads
from tools.polling import poll


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Lets what hangs go on, at the latest at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def hang(threads: ServiceThreads, topic: str, gate: threading.Event) -> None:
    threads.run(topic, lambda: assert_opened(gate))


def assert_opened(gate: threading.Event) -> None:
    assert gate.wait(30), "The test never let go"


def test_one_that_hangs_delays_no_other(gate: threading.Event) -> None:
    threads = ServiceThreads(2, 10)
    for _ in range(5):
        hang(threads, "slow", gate)
    ran = threading.Event()
    threads.run("quick", ran.set)
    assert ran.wait(10)


def test_what_waits_is_bounded_for_each(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2)
    for _ in range(3):
        hang(threads, "slow", gate)
    with pytest.raises(exceptions.ManagerBusy):
        hang(threads, "slow", gate)
    hang(threads, "other", gate)


def test_topics_that_nobody_calls_make_room_for_others(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2, max_topics=2)
    hang(threads, "slow", gate)
    for topic in ("a", "b", "c"):
        ran = threading.Event()
        threads.run(topic, ran.set)
        assert ran.wait(10)
        poll(lambda topic=topic: threads._pools[topic].is_idle, f"{topic} is idle", pause_seconds=0.002)  # type: ignore[misc]
    assert sorted(threads._pools) == ["c", "slow"]


def test_too_many_topics_at_a_time(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2, max_topics=2)
    hang(threads, "a", gate)
    hang(threads, "b", gate)
    with pytest.raises(exceptions.ManagerBusy, match="Calls of 2 services"):
        hang(threads, "c", gate)


def test_stop_waits_for_what_runs_and_takes_no_more(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2)
    hang(threads, "slow", gate)
    assert not threads.stop(0.01)
    with pytest.raises(exceptions.ManagerStopping):
        threads.run("other", gate.set)
    with pytest.raises(exceptions.ManagerStopping):
        threads.run("slow", gate.set)
    gate.set()
    assert threads.stop(10)

"""Thread pools for calls of services: a service that hangs delays no other service."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from cells import exceptions
from cells.services.thread_pools import ServiceThreads
from tools.polling import poll


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Releases the hanging calls, at the latest at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def hang(threads: ServiceThreads, topic: str, gate: threading.Event) -> None:
    threads.run(topic, lambda: assert_opened(gate))


def assert_opened(gate: threading.Event) -> None:
    assert gate.wait(30), "The test never let go"


def test_a_hanging_service_delays_no_other(gate: threading.Event) -> None:
    threads = ServiceThreads(2, 10)
    for _ in range(5):
        hang(threads, "slow", gate)
    ran = threading.Event()
    threads.run("quick", ran.set)
    assert ran.wait(10)


def test_a_neighbor_leaves_threads_of_a_service_to_others(gate: threading.Event) -> None:
    threads = ServiceThreads(4, 10)
    for _ in range(50):
        threads.run("slow", lambda: assert_opened(gate), "loud")
    ran = threading.Event()
    threads.run("slow", ran.set)
    assert ran.wait(10)


def test_the_queue_of_each_topic_is_bounded(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2)
    for _ in range(3):
        hang(threads, "slow", gate)
    with pytest.raises(exceptions.ManagerBusy):
        hang(threads, "slow", gate)
    hang(threads, "other", gate)


def test_idle_topics_make_room_for_others(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2, max_topics=2)
    hang(threads, "slow", gate)
    ran: list[str] = []

    def has_run(topic: str) -> bool:
        with contextlib.suppress(exceptions.ManagerBusy):  # while the thread of the topic before still ends its call
            threads.run(topic, lambda: ran.append(topic))
        return topic in ran

    for topic in ("a", "b", "c"):
        poll(lambda topic=topic: has_run(topic), f"{topic} runs", pause_seconds=0.002)  # type: ignore[misc]


def test_too_many_topics_at_a_time(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2, max_topics=2)
    hang(threads, "a", gate)
    hang(threads, "b", gate)
    with pytest.raises(exceptions.ManagerBusy):
        hang(threads, "c", gate)


def test_stop_waits_for_running_calls_and_refuses_new_ones(gate: threading.Event) -> None:
    threads = ServiceThreads(1, 2)
    hang(threads, "slow", gate)
    assert not threads.stop(0.01)
    with pytest.raises(exceptions.ManagerStopping):
        threads.run("other", gate.set)
    with pytest.raises(exceptions.ManagerStopping):
        threads.run("slow", gate.set)
    gate.set()
    assert threads.stop(10)

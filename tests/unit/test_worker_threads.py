"""Pool of threads for blocking work: bounded, in order, and with a correct count after errors."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.worker_threads import WorkerThreads
from tools.polling import poll

PATIENCE = 10.0


@pytest.fixture
def make() -> Iterator[Callable[..., WorkerThreads]]:
    made: list[WorkerThreads] = []

    def make(max_threads: int = 1, max_waiting: int = 1) -> WorkerThreads:
        made.append(WorkerThreads(max_threads, max_waiting, "cells-test"))
        return made[-1]

    yield make
    for threads in made:
        assert threads.stop(PATIENCE)


class Work:
    """Work that runs until the test ends it."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.gate = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.gate.wait(PATIENCE), "The test never let go"


def test_work_runs_in_its_order_on_threads_with_a_name(make: Callable[..., WorkerThreads]) -> None:
    threads, ran = make(max_waiting=100), queue.SimpleQueue[tuple[int, str]]()
    for number in range(20):
        threads.run(lambda number=number: ran.put((number, threading.current_thread().name)))  # type: ignore[misc]
    got = [ran.get(timeout=PATIENCE) for _ in range(20)]
    assert [number for number, _ in got] == list(range(20))
    assert all(name.startswith("cells-test") for _, name in got)


def test_work_beyond_the_queue_is_refused_until_there_is_room(make: Callable[..., WorkerThreads]) -> None:
    threads, work = make(max_threads=1, max_waiting=1), Work()
    threads.run(work)
    threads.run(work)
    with pytest.raises(exceptions.ManagerBusy):
        threads.run(work)
    work.gate.set()
    ran = threading.Event()
    poll(lambda: threads._calls == 0, "all is done", timeout_seconds=PATIENCE, pause_seconds=0.001)
    threads.run(ran.set)
    assert ran.wait(PATIENCE)


def test_work_that_raises_frees_its_place(make: Callable[..., WorkerThreads]) -> None:
    threads = make(max_threads=1, max_waiting=0)

    def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("a bug"), SystemExit(), asyncio.CancelledError()):
        threads.run(lambda error=error: fail(error))  # type: ignore[misc]
        poll(lambda: threads._calls == 0, "it is done", timeout_seconds=PATIENCE, pause_seconds=0.001)


def test_stop_waits_for_running_and_queued_work_until_its_timeout(make: Callable[..., WorkerThreads]) -> None:
    threads, work, last = make(max_waiting=2), Work(), threading.Event()
    threads.run(work)
    threads.run(last.set)
    assert work.began.wait(PATIENCE)
    assert not threads.stop(0.0)
    with pytest.raises(exceptions.ManagerStopping):
        threads.run(last.set)
    work.gate.set()
    assert threads.stop(PATIENCE)
    assert last.is_set()


def test_unused_pool_stops_at_once_and_twice(make: Callable[..., WorkerThreads]) -> None:
    threads = make()
    assert threads.stop(0.0)
    assert threads.stop(0.0)

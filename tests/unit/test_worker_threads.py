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


def test_a_neighbor_leaves_threads_to_the_cell_and_to_other_neighbors(make: Callable[..., WorkerThreads]) -> None:
    threads, work = make(max_threads=4, max_waiting=0), Work()
    for _ in range(100):
        threads.run(work, neighbor="loud")
    quick = {neighbor: threading.Event() for neighbor in ("", "quiet")}
    for neighbor, ran in quick.items():
        threads.run(ran.set, neighbor=neighbor)
        assert ran.wait(PATIENCE), neighbor
    work.gate.set()


def test_a_neighbor_runs_at_most_its_share(make: Callable[..., WorkerThreads]) -> None:
    threads, gate, began = make(max_threads=8), threading.Event(), queue.SimpleQueue[str]()

    def hang(neighbor: str) -> None:
        began.put(neighbor)
        assert gate.wait(PATIENCE)

    for neighbor in ("one", "two"):
        for _ in range(50):
            threads.run(lambda neighbor=neighbor: hang(neighbor), neighbor=neighbor)  # type: ignore[misc]
    ran = threading.Event()
    # One neighbor took three of four threads before the other came; the second one still gets a thread.
    first = [began.get(timeout=PATIENCE) for _ in range(7)]
    assert (first.count("one"), first.count("two")) == (6, 1)
    threads.run(ran.set)
    assert ran.wait(PATIENCE)
    gate.set()


def test_waiting_works_of_neighbors_take_turns(make: Callable[..., WorkerThreads]) -> None:
    threads, work, ran = make(max_threads=1, max_waiting=10), Work(), queue.SimpleQueue[str]()
    threads.run(work)
    for neighbor in ("loud", "loud", "loud", "", "quiet", "quiet"):
        threads.run(lambda neighbor=neighbor: ran.put(neighbor), neighbor=neighbor)  # type: ignore[misc]
    work.gate.set()
    assert [ran.get(timeout=PATIENCE) for _ in range(6)] == ["loud", "", "quiet", "loud", "quiet", "loud"]


def test_works_of_neighbors_use_no_room_in_the_queue(make: Callable[..., WorkerThreads]) -> None:
    threads, work = make(max_threads=1, max_waiting=1), Work()
    for _ in range(100):
        threads.run(work, neighbor="loud")
    threads.run(work)
    threads.run(work)
    with pytest.raises(exceptions.ManagerBusy):
        threads.run(work)
    work.gate.set()


def test_stop_runs_what_waits_for_its_share(make: Callable[..., WorkerThreads]) -> None:
    threads, work, ran = make(max_threads=4), Work(), queue.SimpleQueue[None]()
    for _ in range(3):
        threads.run(work, neighbor="loud")
    for _ in range(50):
        threads.run(lambda: ran.put(None), neighbor="loud")
    assert not threads.stop(0.0)
    work.gate.set()
    assert threads.stop(PATIENCE)
    assert ran.qsize() == 50

"""Lanes: order, batches and bounds of items for blocking work."""

from __future__ import annotations

import threading

from cells.drivers.direct import lanes
from cells.drivers.direct.lanes import Lanes
from cells.worker_threads import WorkerThreads
from tools.polling import poll


def test_items_gather_while_the_lane_is_busy_and_keep_their_order() -> None:
    threads = WorkerThreads(2, 10, "test")
    goes_on = threading.Event()
    taken: list[tuple[str, list[int]]] = []

    def work(key: str, items: list[int]) -> None:
        taken.append((key, items))
        if key == "slow":
            assert goes_on.wait(10)

    made: Lanes[str, int] = Lanes(threads, work, lambda item: 1)
    assert made.put("slow", 0, "east")
    poll(lambda: taken, "the lane is busy")
    for number in range(1, 1000):
        made.put("slow", number, "east")
    made.put("other", 7, "west")
    poll(lambda: ("other", [7]) in taken, "another lane is free")
    goes_on.set()
    poll(lambda: threads.is_idle, "all are taken")
    batches = [items for key, items in taken if key == "slow"]
    assert [number for items in batches for number in items] == list(range(1000))
    assert [len(items) for items in batches] == [1, 256, 256, 256, 231]


def test_long_items_travel_alone() -> None:
    threads = WorkerThreads(1, 10, "test")
    taken: list[list[int]] = []
    goes_on = threading.Event()

    def work(_: str, items: list[int]) -> None:
        goes_on.wait(10)
        taken.append(items)

    made: Lanes[str, int] = Lanes(threads, work, lambda item: item)
    for size in (lanes.MAX_BATCH_BYTES, lanes.MAX_BATCH_BYTES, 1, 1):
        made.put("lane", size, "east")
    goes_on.set()
    poll(lambda: threads.is_idle, "all are taken")
    assert [len(items) for items in taken] == [1, 1, 2]


def test_a_bug_costs_its_items_alone() -> None:
    threads = WorkerThreads(1, 10, "test")
    taken: list[int] = []

    def work(_: str, items: list[int]) -> None:
        taken.extend(items)
        if items == [1]:
            raise KeyError

    made: Lanes[str, int] = Lanes(threads, work, lambda item: 1)
    for number in (1, 2):
        assert made.put("lane", number, "east")
        poll(lambda: threads.is_idle, "it is taken")
    assert taken == [1, 2]


def test_a_pool_that_has_stopped_takes_nothing() -> None:
    threads = WorkerThreads(1, 10, "test")
    threads.stop(1.0)
    made: Lanes[str, int] = Lanes(threads, lambda key, items: None, lambda item: 1)
    assert not made.put("lane", 1, "east")
    assert not made.put("lane", 2, "east")

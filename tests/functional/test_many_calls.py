"""Many concurrent calls: each gets its own answer, and a waiting call holds no thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


@endpoint
def echo(call: Call, number: int) -> list[object]:
    return [call.cell.name, number]


def test_each_of_many_calls_gets_its_own_answer(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, endpoints=[echo])
    ways = [("api", "az1"), ("az1", "api"), ("az1", "api!west"), ("west", "api!east!az1"), ("api", "east")]

    def call(number: int) -> list[object]:
        source, target = ways[number % len(ways)]
        return tree[source].call(target, "echo", kwargs={"number": number})

    with futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(500)))
    assert answers == [[ways[number % len(ways)][1].rpartition("!")[2], number] for number in range(500)]
    tree.wait_until_idle()
    assert not any("timed_out" in cell.counters() for cell in tree.cells.values())


def test_waiting_calls_hold_no_thread_and_block_no_other_call(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    tree.freeze("az1")
    api = tree["api"]
    # The first calls fill the threads of the silent cell.
    calls = [api.start_call("az1") for _ in range(20)]
    wait_for(lambda: tree["az1"].counters()["received"] >= 8, "az1 is full")
    before = threading.active_count()
    calls += [api.start_call("az1") for _ in range(500)]
    # A ping of a starting manager may add one for a moment.
    wait_for(lambda: api.service.manager.status(CONTEXT)["pending_calls"] == 520, "the calls alone wait")
    assert api.call("west", timeout=2) == "api!west"
    assert api.call("east", timeout=2) == "api!east"
    # The pools of the silent cell and of the cells on the way fill up; there is no thread per call.
    assert threading.active_count() < before + 150
    tree.thaw()
    assert {call.result(10) for call in calls} == {"api!east!az1"}
    tree.wait_until_idle()


def test_calls_beyond_the_limit_are_refused_at_once(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, cell_options={"api": {"cells": {"max_pending_calls": 50}}})
    tree.freeze("west")
    calls = [tree["api"].start_call("west") for _ in range(60)]
    refused = [call for call in calls if call.done()]
    assert len(refused) >= 10
    for call in refused:
        with pytest.raises(exceptions.ManagerBusy, match="max_pending_calls"):
            call.result()
    tree.thaw()
    assert {call.result(10) for call in calls if call not in refused} == {"api!west"}
    assert tree["api"].call("east") == "api!east"

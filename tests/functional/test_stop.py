"""Stop of a manager: ends in bounded time, and every waiting call gets an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from cells import exceptions
from tests.functional.cell_tree import CellTree, wait_for

SHAPE = {"api": {"east": {}}}


def test_pending_calls_get_an_error_at_the_stop(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, options={"DEFAULT": {"graceful_shutdown_timeout": 1}})
    tree.freeze("east")
    calls = [tree["api"].start_call("east") for _ in range(10)]
    started = time.monotonic()
    tree["api"].stop()
    assert time.monotonic() - started < 5
    assert all(isinstance(call.exception(0), exceptions.CellsError) for call in calls)
    assert len(tree["api"].service.pending) == 0


def test_answers_that_come_in_time_are_still_delivered(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, options={"DEFAULT": {"graceful_shutdown_timeout": 30}})
    tree.freeze("east")
    call = tree["api"].start_call("east")
    stopping = threading.Thread(target=tree["api"].stop)
    stopping.start()
    tree.thaw()
    assert call.result(10) == "api!east"
    stopping.join(10)
    assert not stopping.is_alive()


def test_call_after_the_end_is_refused(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    tree["api"].stop()
    with pytest.raises(exceptions.ManagerStopping):
        tree["api"].call("east")


def test_stopping_twice_or_without_a_start_is_no_error() -> None:
    tree = CellTree(SHAPE)
    tree.stop()
    tree.stop()
    with CellTree(SHAPE) as tree:
        tree.stop()


def test_stopping_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with CellTree(SHAPE) as tree:
        assert tree["api"].call("east") == "api!east"
    wait_for(
        lambda: not [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("cells")],
        "the threads that this project started have ended",
    )

"""Monitored calls: they last while the far server works, over every hop, and end soon after its failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells import exceptions
from cells.testing import CellTree
from tests.functional.cell_tree import TIMEOUT_SECONDS, wait_for

#: Shortest call_monitor_timeout that oslo.messaging's servers accept.
MONITOR_SECONDS = 2
LONG_SECONDS = 2.6


class Compute:
    def __init__(self) -> None:
        self.began = threading.Event()
        self.gate = threading.Event()

    def build(self, ctxt: dict[str, Any]) -> str:
        self.began.set()
        self.gate.wait(LONG_SECONDS)
        return "built"


@pytest.fixture
def tree() -> Iterator[CellTree]:
    with CellTree({"api": {"east": {"az1": {}}}}) as tree:
        yield tree


def wait_for_the_end(tree: CellTree) -> None:
    wait_for(lambda: all(thread.name != "cells-heartbeats" for thread in threading.enumerate()), "the heartbeats end")
    assert [len(manager.pending) for cell in tree.cells.values() for manager in cell.managers] == [0, 0, 0]


def test_a_monitored_call_may_outlast_its_monitor_timeout(tree: CellTree) -> None:
    tree["az1"].serve("compute", Compute())
    client = tree["api"].client("compute", timeout=60, call_monitor_timeout=MONITOR_SECONDS)
    started = time.monotonic()
    assert client.prepare(cell="az1").call({}, "build") == "built"
    assert time.monotonic() - started > MONITOR_SECONDS
    wait_for_the_end(tree)


def test_a_call_of_the_own_cell_by_its_manager_is_monitored_as_well(tree: CellTree) -> None:
    tree["east"].serve("compute", Compute())
    client = tree["east"].client("compute", timeout=60, call_monitor_timeout=MONITOR_SECONDS)
    assert client.prepare(cell="east").call({}, "build") == "built"
    wait_for_the_end(tree)


@pytest.mark.parametrize("ends", [("api", "east"), ("east", "az1")])
def test_silence_on_any_link_ends_a_monitored_call_before_its_timeout(tree: CellTree, ends: tuple[str, str]) -> None:
    compute = Compute()
    tree["az1"].serve("compute", compute)
    client = tree["api"].client("compute", timeout=600, call_monitor_timeout=MONITOR_SECONDS)
    started = time.monotonic()
    with tree.link(*ends).toward(ends[0]).drop(), pytest.raises(cells.rpc.Timeout) as caught:
        client.prepare(cell="az1").call({}, "build")
    assert MONITOR_SECONDS <= time.monotonic() - started < MONITOR_SECONDS + 3
    assert isinstance(caught.value.__cause__, exceptions.CellTimeout)
    compute.gate.set()
    wait_for_the_end(tree)


@pytest.mark.parametrize("seconds", [0.5, 1, 0, -1])
def test_a_too_short_monitor_timeout_is_refused(tree: CellTree, seconds: float) -> None:
    client = tree["api"].client("compute", timeout=TIMEOUT_SECONDS, call_monitor_timeout=seconds)
    with pytest.raises(exceptions.InvalidArguments, match="call_monitor_timeout"):
        client.prepare(cell="az1").call({}, "build")

"""Timeouts travel with a call: each hop leaves less, and expired calls do not run."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from cells import exceptions, versions
from cells.deadlines import shrink
from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import wait_for
from tests.functional.notes import Notes
from tests.functional.wire_tap import VersionTree

SHAPE = {"api": {"east": {"az1": {}}}}
ALL = {"api", "api!east", "api!east!az1"}


@endpoint
def left(call: Call) -> float | None:
    return call.seconds_left


@endpoint
def wait_as_long_as_allowed(call: Call) -> None:
    """Endpoint that respects its remaining time."""
    threading.Event().wait(call.seconds_left)
    raise exceptions.CellTimeout(f"The disks of {call.cell.name} did not answer in time.", cell=call.cell.name)


class Blocker:
    """Endpoint that blocks the only thread of its cell."""

    def __init__(self) -> None:
        self.is_in = threading.Event()
        self.is_over = threading.Event()

        @endpoint
        def block(call: Call) -> str:
            self.is_in.set()
            assert self.is_over.wait(60)
            return call.cell.name

        self.endpoint = block


@pytest.fixture
def blocker() -> Iterator[Blocker]:
    blocker = Blocker()
    yield blocker
    blocker.is_over.set()


def test_deeper_cells_have_less_time() -> None:
    with VersionTree(SHAPE, endpoints=[left]) as tree:
        for seconds in (100.0, 2.0):
            seen = {way: answer.value for way, answer in tree["api"].broadcast("left", timeout=seconds).items()}
            assert seen.keys() == ALL
            assert seconds >= seen["api"]
            for hops, way in enumerate(["api", "api!east", "api!east!az1"]):
                assert 0 < seen[way] <= shrink(seconds, hops)
            call = tree["az1"].call("api", "left", timeout=seconds)
            assert 0 < call <= shrink(seconds, 2)


@pytest.mark.usefixtures("wide_margins")
def test_a_child_that_respects_its_deadline_answers_in_time() -> None:
    with VersionTree(SHAPE, endpoints=[wait_as_long_as_allowed]) as tree:
        with pytest.raises(exceptions.CellTimeout) as caught:
            tree["api"].call("az1", "wait_as_long_as_allowed", timeout=1.0)
        assert caught.value.cell == "az1"
        assert "timed_out" not in tree["api"].counters()


@pytest.mark.usefixtures("wide_margins")
def test_the_cell_nearest_to_the_silence_times_out_first() -> None:
    cases = list(itertools.product(["1.1", "1.3"], ["az1", "east"]))
    with contextlib.ExitStack() as stack:
        trees = {}
        for middle, gives_up in cases:
            tree = VersionTree(SHAPE, releases={"api": versions.CURRENT, "east": middle, "az1": "1.1"})
            trees[middle, gives_up] = stack.enter_context(tree)
            if gives_up == "az1":
                tree.freeze("az1")
            else:
                tree.link("east", "az1").toward("east").drop()
        # All at the same time, because each lasts until its deadline.
        pool = stack.enter_context(futures.ThreadPoolExecutor(len(cases)))
        broadcasts = {case: pool.submit(tree["api"].broadcast, timeout=3.0) for case, tree in trees.items()}
        for case, broadcast in broadcasts.items():
            answers = broadcast.result()
            others = ALL - {"api!east!az1"}
            assert {way for way, answer in answers.items() if answer.error is None} == others, case
            error = answers["api!east!az1"].error
            assert isinstance(error, exceptions.CellTimeout), case
            assert error.cell == "api!east!az1", case
            tree, (_, gives_up) = trees[case], case
            assert {name for name in ("api", "east", "az1") if "timed_out" in tree[name].counters()} == {gives_up}, case


@pytest.mark.parametrize("caps", [{}, {"options": {"upgrade_levels": {"intercell": "1.1"}}}], ids=["newest", "1.1"])
def test_a_call_that_expires_in_the_queue_does_not_run(
    caps: dict[str, object], blocker: Blocker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cells")
    notes = Notes()
    one_thread = {"az1": {"cells": {"endpoint_threads": 1}}}
    tree = VersionTree(SHAPE, endpoints=[blocker.endpoint, notes.endpoint()], cell_options=one_thread, **caps)
    with tree:
        blocked = tree["api"].start_call("az1", "block", timeout=60)
        assert blocker.is_in.wait(10)
        with pytest.raises(exceptions.CellTimeout) as caught:
            tree["api"].call("az1", "note", kwargs={"text": "late"}, timeout=0.2)
        assert caught.value.cell == "api!east!az1"
        blocker.is_over.set()
        assert blocked.result(10) == "az1"
        wait_for(lambda: tree["az1"].counters().get("dropped.late") == 1, "the call is dropped")
        assert notes.taken == []
        line = "A targeted message (note) from api is not run: its deadline has passed."
        wait_for(lambda: line in [record.getMessage() for record in caplog.records], "the log says so")
        tree["api"].call("az1", "note", kwargs={"text": "in time"}, timeout=10)
        notes.wait_for(("api!east!az1", "in time"))


def test_at_the_oldest_version_expired_calls_run(blocker: Blocker) -> None:
    notes = Notes()
    options = {"upgrade_levels": {"intercell": "1.0"}}
    one_thread = {"az1": {"cells": {"endpoint_threads": 1}}}
    with VersionTree(
        SHAPE, endpoints=[blocker.endpoint, notes.endpoint()], cell_options=one_thread, options=options
    ) as tree:
        blocked = tree["api"].start_call("az1", "block", timeout=60)
        assert blocker.is_in.wait(10)
        with pytest.raises(exceptions.CellTimeout):
            tree["api"].call("az1", "note", kwargs={"text": "late"}, timeout=0.2)
        blocker.is_over.set()
        assert blocked.result(10) == "az1"
        notes.wait_for(("api!east!az1", "late"))


def test_a_relay_does_not_send_an_expired_call() -> None:
    """The cells behind do not receive the expired call."""
    notes = Notes()
    with VersionTree(SHAPE, endpoints=[notes.endpoint()]) as tree:
        tree.forget_arrivals()
        request = {"message_type": "targeted", "method_name": "note", "direction": "down", "need_response": True}
        request |= {"uuid": "late", "routing_path": "api", "target_cell": "api!east!az1", "hop_count": 1}
        request |= {"max_hop_count": 10, "time_left": 0.0, "reply_server": "api-1"}
        request["payload"] = '{"ctxt": {}, "method_kwargs": {"text": "late"}}'
        tree["east"].service.router.receive(request)
        answer = wait_for(lambda: tree.arrivals(response_uuid="late"), "the source gets the error")[0]
        assert "CellTimeout" in answer.arguments["responses"][0]
        assert tree["east"].counters()["dropped.late"] == 1
        assert [one.cell for one in tree.arrivals(uuid="late")] == ["east"]
        assert notes.taken == []

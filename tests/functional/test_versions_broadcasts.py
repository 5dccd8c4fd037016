"""From 1.2 on the answers to a broadcast come as they are given, and cells on the way keep nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, PATIENCE_SECONDS, wait_for
from tests.functional.wire_tap import VersionTree

#: Longer than the test takes: what has come has not come because somebody gave up.
LONG_SECONDS = 600.0
RELAYS = ("east", "west")
SHAPE = {"api": {relay: {f"{relay}{number}": {} for number in range(1, 14)} for relay in RELAYS}}
SILENT = [f"{relay}{number}" for relay in RELAYS for number in range(1, 6)]
PATHS = {"api", *(f"api!{relay}" for relay in RELAYS)} | {
    f"api!{relay}!{leaf}" for relay, leaves in SHAPE["api"].items() for leaf in leaves
}
SILENT_PATHS = {f"api!{name[:4]}!{name}" for name in SILENT}


class Stream:
    """The answers to a broadcast, as its caller asks for them."""

    def __init__(self, tree: VersionTree, timeout_seconds: float) -> None:
        self._manager = tree["api"].service.manager
        self._id = self._manager.broadcast_start(CONTEXT, "where", {}, "down", timeout_seconds)["id"]
        self._asked: futures.Future[dict[str, Any]] | None = None
        self.answers: list[Response] = []
        self.is_complete = False

    def take(self, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        """Take what is new, or what will be.

        :raises TimeoutError: nothing came within that time; who asks again gets what comes then
        """
        batch = self._manager.broadcast_next(CONTEXT, self._id).result(timeout_seconds)
        self.answers += [Response.from_json(text, ["cells.exceptions"]) for text in batch["responses"]]
        self.is_complete = batch["is_complete"]

    def take_until(self, count: int) -> None:
        """Take answers until so many are there."""
        while len(self.answers) < count:
            self.take()

    def take_rest(self) -> None:
        """Take answers until it is said that there are no more."""
        while not self.is_complete:
            self.take()

    def close(self) -> None:
        """Say that nobody wants the rest."""
        self._manager.broadcast_stop(CONTEXT, self._id)

    @property
    def cells(self) -> list[str]:
        return sorted(answer.cell for answer in self.answers)


@pytest.fixture(scope="module")
def wide() -> Iterator[VersionTree]:
    with VersionTree(SHAPE) as tree:
        yield tree


def test_thirty_cells_are_all_there() -> None:
    assert (len(PATHS), len(SILENT_PATHS), SILENT_PATHS < PATHS) == (29, 10, True)


def test_silent_cells_delay_no_answer_of_the_others_and_relays_keep_nothing(wide: VersionTree) -> None:
    threads = {thread.name for thread in threading.enumerate()}
    for name in SILENT:
        wide.freeze(name)
    stream = Stream(wide, LONG_SECONDS)
    stream.take_until(len(PATHS) - len(SILENT))
    assert stream.cells == sorted(PATHS - SILENT_PATHS)
    assert all(answer.error is None for answer in stream.answers)
    assert not stream.is_complete
    # The source waits, and nobody on the way does.
    assert len(wide["api"].service.pending) == 1
    for relay in RELAYS:
        service = wide[relay].service
        assert len(service.pending) == 0
        wait_for(lambda: service.threads.is_idle, f"no endpoint of {relay} waits")  # noqa: B023
    # No thread was started for it but those on which endpoints run, and those that send.
    started = {thread.name for thread in threading.enumerate()} - threads
    assert all(name.startswith(("cells-endpoint", "cells-send-", "cells-memory-")) for name in started)
    wide.thaw()
    stream.take_rest()
    assert stream.cells == sorted(PATHS)
    assert len(wide["api"].service.pending) == 0


def test_silent_cells_are_errors_of_their_own_when_time_is_over() -> None:
    shape = {"api": {"east": {"az1": {}, "az2": {}}, "west": {}}}
    with VersionTree(shape) as tree:
        tree.link("east", "az1").toward("az1").drop()
        tree.link("east", "az2").toward("east").drop()
        stream = Stream(tree, 1.0)
        stream.take_until(3)
        assert stream.cells == ["api", "api!east", "api!west"]
        stream.take_rest()
        errors = {answer.cell: answer.error for answer in stream.answers if answer.error is not None}
        assert {cell: type(error).__bases__[0] for cell, error in errors.items()} == dict.fromkeys(
            ("api!east!az1", "api!east!az2"), exceptions.CellTimeout
        )
        assert len(tree["east"].service.pending) == 0


def test_a_silent_cell_behind_a_silent_one_is_named_as_well() -> None:
    """Who waits has to learn of it though the only cell that knows of it does not answer."""
    shape = {"api": {"east": {"az1": {"host1": {}}, "az2": {}}, "west": {}}}
    with contextlib.ExitStack() as stack:
        streams = {}
        for version in ("1.1", "1.2", "1.3"):
            options = {"upgrade_levels": {"intercell": version}}
            tree = stack.enter_context(VersionTree(shape, options=options))
            for cell, neighbor in (("api", "east"), ("east", "az1"), ("az1", "host1")):
                tree.wait_until_spoken(cell, neighbor, version)
            for silent in ("east", "az1", "host1"):
                tree.freeze(silent)
            # All are waited for at the same time.
            streams[version] = tree, Stream(tree, 3.0)
        for version, (tree, stream) in streams.items():
            stream.take_rest()
            errors = {answer.cell: answer.error for answer in stream.answers if answer.error is not None}
            assert {cell: type(error).__bases__[0] for cell, error in errors.items()} == dict.fromkeys(
                ("api!east", "api!east!az1", "api!east!az1!host1"), exceptions.CellTimeout
            ), version
            assert stream.cells == sorted(["api", "api!east!az2", "api!west", *errors]), version
            assert len(tree["api"].service.pending) == 0, version


def test_who_closes_a_stream_waits_for_nothing_more(wide: VersionTree) -> None:
    wide.freeze("east1")
    stream = Stream(wide, LONG_SECONDS)
    stream.take_until(len(PATHS) - 1)
    assert len(wide["api"].service.pending) == 1
    stream.close()
    assert len(wide["api"].service.pending) == 0
    with pytest.raises(exceptions.InvalidArguments):
        stream.take()
    stream.close()
    wide.thaw()
    assert sorted(wide["api"].broadcast()) == sorted(PATHS)


@pytest.mark.parametrize("old", ["1.0", "1.1"])
def test_under_a_lower_version_the_answers_of_a_branch_come_together(old: str) -> None:
    """One relay of two is old: it waits for its branch, and the other branch for nobody."""
    shape = {"api": {"east": {"az1": {}, "az2": {}}, "west": {"az3": {}, "az4": {}}}}
    with VersionTree(shape, releases={"east": old}) as tree:
        for silent in ("az1", "az3"):
            tree.freeze(silent)
        stream = Stream(tree, LONG_SECONDS)
        stream.take_until(3)
        assert stream.cells == ["api", "api!west", "api!west!az4"]
        wait_for(lambda: len(tree["east"].service.pending) == 1, "east waits for its branch")
        assert len(tree["west"].service.pending) == 0
        # So it stays as long as az1 is silent.
        with pytest.raises(TimeoutError):
            stream.take(0.1)
        tree.thaw()
        stream.take_rest()
        assert stream.cells == ["api", *(f"api!{way}" for way in ("east", "east!az1", "east!az2"))] + [
            f"api!{way}" for way in ("west", "west!az3", "west!az4")
        ]


def test_branch_of_an_old_cell_comes_through_a_relay_that_streams() -> None:
    """What a neighbor of it has gathered the relay passes on, and waits for that alone."""
    shape = {"api": {"east": {"az1": {"host1": {}, "host2": {}}, "az2": {}}}}
    with VersionTree(shape, releases={"az1": "1.1"}) as tree:
        tree.freeze("host1")
        stream = Stream(tree, LONG_SECONDS)
        stream.take_until(3)
        assert stream.cells == ["api", "api!east", "api!east!az2"]
        assert [len(tree[name].service.pending) for name in ("east", "az1", "az2")] == [1, 1, 0]
        tree.thaw()
        stream.take_rest()
        assert stream.cells == sorted(
            f"api{way}" for way in ("", "!east", "!east!az1", "!east!az1!host1", "!east!az1!host2", "!east!az2")
        )
        branches = [one.arguments["branch"] for one in tree.arrivals(target_cell="east!api") if _has_branch(one)]
        assert branches == ["az1"]


def _has_branch(arrival: Any) -> bool:
    return "branch" in arrival.arguments

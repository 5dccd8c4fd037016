"""From version 1.2 on, answers to a broadcast travel one by one, and relays keep no state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, TIMEOUT_SECONDS, wait_for
from tests.functional.wire_tap import VersionTree

#: Longer than the test, so no answer in it is caused by a timeout.
LONG_SECONDS = 600.0
RELAYS = ("east", "west")
SHAPE = {"api": {relay: {f"{relay}{number}": {} for number in range(1, 8)} for relay in RELAYS}}
SILENT = [f"{relay}{number}" for relay in RELAYS for number in range(1, 4)]
PATHS = {"api", *(f"api!{relay}" for relay in RELAYS)} | {
    f"api!{relay}!{leaf}" for relay, leaves in SHAPE["api"].items() for leaf in leaves
}
SILENT_PATHS = {f"api!{name[:4]}!{name}" for name in SILENT}


class Stream:
    """Stream of the answers to a broadcast, as its caller reads it."""

    def __init__(self, tree: VersionTree, timeout_seconds: float) -> None:
        self._manager = tree["api"].service.manager
        self._id = self._manager.broadcast_start(CONTEXT, "where", {}, "down", timeout_seconds)["id"]
        self._asked: futures.Future[dict[str, Any]] | None = None
        self.answers: list[Response] = []
        self.is_complete = False

    def take(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Take the new answers, or wait for some.

        :raises TimeoutError: no answer within that time; later answers go to the next call
        """
        batch = self._manager.broadcast_next(CONTEXT, self._id).result(timeout_seconds)
        self.answers += [Response.from_json(text, ["cells.exceptions"]) for text in batch["responses"]]
        self.is_complete = batch["is_complete"]

    def take_until(self, count: int) -> None:
        """Take answers until their number reaches ``count``."""
        while len(self.answers) < count:
            self.take()

    def take_rest(self) -> None:
        """Take all answers, until the end of the stream."""
        while not self.is_complete:
            self.take()

    def close(self) -> None:
        """Close the stream; early, if it is not complete."""
        self._manager.broadcast_stop(CONTEXT, self._id)

    @property
    def cells(self) -> list[str]:
        return sorted(answer.cell for answer in self.answers)


@pytest.fixture(scope="module")
def shared() -> Iterator[VersionTree]:
    with VersionTree(SHAPE) as tree:
        tree.wait_until_idle()
        yield tree


@pytest.fixture
def wide(shared: VersionTree) -> Iterator[VersionTree]:
    """A wide tree that tests share.  After a test that fails, too, its cells answer."""
    yield shared
    shared.thaw()


def test_silent_cells_delay_no_other_answers_and_relays_keep_no_state(wide: VersionTree) -> None:
    for name in SILENT:
        wide.freeze(name)
    with contextlib.closing(Stream(wide, LONG_SECONDS)) as stream:
        stream.take_until(len(PATHS) - len(SILENT))
        assert stream.cells == sorted(PATHS - SILENT_PATHS)
        assert all(answer.error is None for answer in stream.answers)
        assert not stream.is_complete
        # The source waits; no relay does, and none of its threads does.
        assert len(wide["api"].service.pending) == 1
        for relay in RELAYS:
            service = wide[relay].service
            assert len(service.pending) == 0
            wait_for(lambda: service.threads.is_idle, f"no endpoint of {relay} waits")  # noqa: B023
        wide.thaw()
        stream.take_rest()
        assert stream.cells == sorted(PATHS)
    assert len(wide["api"].service.pending) == 0


@pytest.mark.usefixtures("wide_margins")
def test_silent_cells_are_errors_at_the_deadline() -> None:
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


@pytest.mark.usefixtures("wide_margins")
def test_a_silent_cell_behind_a_silent_cell_is_named() -> None:
    """The source must learn of the failure although the only cell that knows it does not answer."""
    shape = {"api": {"east": {"az1": {"host1": {}}, "az2": {}}, "west": {}}}
    with contextlib.ExitStack() as stack:
        streams = {}
        for version in ("1.1", "1.2", "1.3"):
            options = {"upgrade_levels": {"intercell": version}}
            tree = stack.enter_context(VersionTree(shape, options=options))
            for cell, neighbor in (("api", "east"), ("east", "az1"), ("az1", "host1")):
                tree.wait_for_version(cell, neighbor, version)
            for silent in ("east", "az1", "host1"):
                tree.freeze(silent)
            # All waits run at the same time.
            streams[version] = tree, Stream(tree, 3.0)
        for version, (tree, stream) in streams.items():
            stream.take_rest()
            errors = {answer.cell: answer.error for answer in stream.answers if answer.error is not None}
            assert {cell: type(error).__bases__[0] for cell, error in errors.items()} == dict.fromkeys(
                ("api!east", "api!east!az1", "api!east!az1!host1"), exceptions.CellTimeout
            ), version
            assert stream.cells == sorted(["api", "api!east!az2", "api!west", *errors]), version
            assert len(tree["api"].service.pending) == 0, version


def test_a_closed_stream_waits_for_no_more_answers(wide: VersionTree) -> None:
    wide.freeze("east1")
    with contextlib.closing(Stream(wide, LONG_SECONDS)) as stream:
        stream.take_until(len(PATHS) - 1)
        assert len(wide["api"].service.pending) == 1
        stream.close()
        assert len(wide["api"].service.pending) == 0
        with pytest.raises(exceptions.InvalidArguments):
            stream.take()
    wide.thaw()
    assert sorted(wide["api"].broadcast()) == sorted(PATHS)


@pytest.mark.parametrize("old", ["1.0", "1.1"])
def test_under_a_lower_version_the_answers_of_a_branch_come_together(old: str) -> None:
    """One of two relays is old: it waits for its branch; the other branch does not wait."""
    shape = {"api": {"east": {"az1": {}, "az2": {}}, "west": {"az3": {}, "az4": {}}}}
    with VersionTree(shape, releases={"east": old}) as tree:
        for silent in ("az1", "az3"):
            tree.freeze(silent)
        stream = Stream(tree, LONG_SECONDS)
        stream.take_until(3)
        assert stream.cells == ["api", "api!west", "api!west!az4"]
        wait_for(lambda: len(tree["east"].service.pending) == 1, "east waits for its branch")
        assert len(tree["west"].service.pending) == 0
        # This holds while az1 is silent.
        with pytest.raises(TimeoutError):
            stream.take(0.1)
        tree.thaw()
        stream.take_rest()
        assert stream.cells == ["api", *(f"api!{way}" for way in ("east", "east!az1", "east!az2"))] + [
            f"api!{way}" for way in ("west", "west!az3", "west!az4")
        ]


def test_branch_of_an_old_cell_comes_through_a_relay_that_streams() -> None:
    """The relay waits only for the collected answers of its old neighbor and forwards them."""
    shape = {"api": {"east": {"az1": {"host1": {}, "host2": {}}, "az2": {}}}}
    with VersionTree(shape, releases={"az1": "1.1"}) as tree:
        tree.freeze("host1")
        stream = Stream(tree, LONG_SECONDS)
        stream.take_until(3)
        assert stream.cells == ["api", "api!east", "api!east!az2"]
        wait_for(
            lambda: [len(tree[name].service.pending) for name in ("east", "az1", "az2")] == [1, 1, 0],
            "the relay and its old neighbor wait",
        )
        tree.thaw()
        stream.take_rest()
        assert stream.cells == sorted(
            f"api{way}" for way in ("", "!east", "!east!az1", "!east!az1!host1", "!east!az1!host2", "!east!az2")
        )
        branches = [one.arguments["branch"] for one in tree.arrivals(target_cell="east!api") if _has_branch(one)]
        assert branches == ["az1"]


def _has_branch(arrival: Any) -> bool:
    return "branch" in arrival.arguments

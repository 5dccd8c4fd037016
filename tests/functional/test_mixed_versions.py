"""Trees during an upgrade: every combination of releases and caps works at every step."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from cells.messages import Response
from cells.path import CellPath
from tests.functional.cell_tree import CONTEXT, Shape, wait_for
from tests.functional.notes import Notes
from tests.functional.wire_tap import VersionTree

#: Three cells, one below the other.
#: 1.3 and 1.4 differ in a key that only clients of RabbitMQ cause.
VERSIONS = ("1.0", "1.1", "1.2", "1.4")
SHAPE = {"api": {"east": {"az1": {}}}}
PATHS = {"api": "api", "east": "api!east", "az1": "api!east!az1"}
LINKS = [("api", "east"), ("east", "api"), ("east", "az1"), ("az1", "east")]


@endpoint
def divide(call: Call, fails_in: Sequence[str] = ()) -> str:
    """Endpoint that fails in the given cells."""
    if call.cell.name in fails_in:
        raise exceptions.CellNotFound("It went away.", cell=call.cell.name)
    return str(call.cell.describe()["path"])


class Mixed:
    """Return a tree in which each cell has the given version."""

    def __init__(self, shape: Shape, **options: Any) -> None:
        self.notes = Notes()
        self.tree = VersionTree(shape, endpoints=[divide, self.notes.endpoint()], **options)
        paths = list(self.tree.cells)
        #: from each cell to each cell above and below
        self.walks = {
            (one, other): str(one.walk_to(other))
            for one, other in itertools.permutations(paths, 2)
            if one.is_prefix_of(other) or other.is_prefix_of(one)
        }
        #: receivers of a broadcast from each cell, with the way from the source
        self.broadcasts = {
            (one, direction): {str(one.walk_to(other)): other for other in paths if hears(one, other)}
            for direction, hears in (
                ("down", CellPath.is_prefix_of),
                ("up", lambda one, other: other.is_prefix_of(one)),
            )
            for one in paths
            if (direction == "up") is (len(one) == 3)
        }

    def __enter__(self) -> VersionTree:
        self.tree.start()
        return self.tree

    def __exit__(self, *exc_info: object) -> None:
        self.tree.stop()

    def check(self) -> None:
        """Send calls, casts, broadcasts and errors in all directions; each arrives exactly once."""
        self.tree.forget_arrivals()
        self._check_calls()
        self._check_casts()
        self._check_broadcasts()
        assert not self.tree.unreadable
        for path, cell in self.tree.cells.items():
            wait_for(lambda: not len(cell.service.pending), f"{path} waits for nothing")  # noqa: B023
            refused = {key: count for key, count in cell.counters().items() if key.startswith("rejected")}
            assert not refused

    def _check_calls(self) -> None:
        calls = {ends: self.tree[str(ends[0])].start_call(str(ends[1])) for ends in self.walks}
        assert {ends: call.result(10) for ends, call in calls.items()} == {ends: str(ends[1]) for ends in self.walks}
        failing = {
            (source, target): self.tree[str(source)].start_call(
                str(target), "divide", kwargs={"fails_in": [target.last]}
            )
            for source, target in self.walks
        }
        for (_, target), call in failing.items():
            with pytest.raises(exceptions.CellNotFound) as caught:
                call.result(10)
            assert caught.value.cell == target.last
        for path in self.tree.cells:
            with pytest.raises(exceptions.UnknownMethod):
                self.tree["api"].call(str(path), "no_such_method")

    def _check_casts(self) -> None:
        self.notes.taken.clear()
        for source, target in self.walks:
            self.tree[str(source)].cast(str(target), "note", text="one")
        for source, direction in self.broadcasts:
            self.tree[str(source)].broadcast_cast("note", direction, text="all")
        everybody = [(way, "all") for ways in self.broadcasts.values() for way in ways]
        self.notes.wait_for(*((way, "one") for way in self.walks.values()), *everybody)

    def _check_broadcasts(self) -> None:
        below = [path.last for path in self.tree.cells if len(path) > 1]
        for (source, direction), expected in self.broadcasts.items():
            answers = self.tree[str(source)].broadcast("divide", direction)
            assert {way: answer.value for way, answer in answers.items()} == {
                way: str(path) for way, path in expected.items()
            }
            failing = self.tree[str(source)].broadcast("divide", direction, kwargs={"fails_in": below})
            assert {way: _cell_of(answer) for way, answer in failing.items()} == {
                way: path.last if len(path) > 1 else None for way, path in expected.items()
            }


def _cell_of(answer: Response) -> str | None:
    """Return the cell of an error; None if there is no error."""
    if answer.error is None:
        return None
    assert isinstance(answer.error, exceptions.CellNotFound)
    return answer.error.cell


@pytest.mark.parametrize("top", VERSIONS)
def test_releases_of_every_combination_work_together(top: str) -> None:
    """Return the releases of a tree in which each cell has a child of each release, for two levels."""
    releases = {"api": top}
    shape: dict[str, Any] = {"api": {}}
    for middle in VERSIONS:
        leaves = {f"az{middle}-{leaf}": leaf for leaf in VERSIONS}
        releases.update({f"east{middle}": middle, **leaves})
        shape["api"][f"east{middle}"] = {leaf: {} for leaf in leaves}
    mixed = Mixed(shape, releases=releases)
    count = len(VERSIONS)
    assert (len(mixed.tree.cells), len(mixed.walks)) == (1 + count + count**2, 2 * (count + 2 * count**2))
    with mixed as tree:
        for path in tree.cells:
            for neighbor in tree[path.last].service.table.snapshot().all():
                tree.wait_for_version(path.last, neighbor, min(releases[path.last], releases[neighbor]))
        mixed.check()


#: All combinations of the two directions of a link, and of the two links of the middle cell.
CAPPED = list(itertools.permutations(VERSIONS, 2))
#: One branch of a tree for each combination.
BRANCHES = {f"{one}-{other}": (one, other) for one, other in CAPPED}


@pytest.mark.parametrize("one", VERSIONS)
def test_caps_that_differ_between_the_two_directions_of_a_link_work_together(one: str) -> None:
    branches = [other for other in VERSIONS if other != one]
    caps = {"api": one, **{f"east{other}": other for other in branches}, **{f"az{other}": one for other in branches}}
    mixed = Mixed(
        {"api": {f"east{other}": {f"az{other}": {}} for other in branches}},
        cell_options={name: {"upgrade_levels": {"intercell": cap}} for name, cap in caps.items()},
    )
    with mixed as tree:
        for path in tree.cells:
            for neighbor in tree[path.last].service.table.snapshot().all():
                assert tree.link_version(path.last, neighbor) == caps[path.last]
        mixed.check()


def test_caps_of_neighbors_that_differ_within_a_cell_work_together() -> None:
    caps: dict[tuple[str, str], str] = {}
    for branch, (first, second) in BRANCHES.items():
        east, az = f"east{branch}", f"az{branch}"
        caps |= {("api", east): first, (east, "api"): second, (east, az): second, (az, east): first}
    mixed = Mixed({"api": {f"east{branch}": {f"az{branch}": {}} for branch in BRANCHES}}, caps=caps)
    with mixed as tree:
        for ends, cap in caps.items():
            tree.wait_for_version(*ends, cap)
        mixed.check()


@pytest.mark.parametrize("combination", [(one, other, one) for one, other in CAPPED[::3]], ids="-".join)
def test_several_managers_of_each_cell_work_together(combination: Sequence[str]) -> None:
    releases = dict(zip(PATHS, combination, strict=True))
    mixed = Mixed(SHAPE, releases=releases, managers=dict.fromkeys(PATHS, 2))
    with mixed as tree:
        for source, target in mixed.walks:
            calls = [tree[str(source)].start_call(str(target), manager=number % 2) for number in range(4)]
            assert [call.result(10) for call in calls] == [str(target)] * 4
        for (source, direction), expected in mixed.broadcasts.items():
            for _ in range(2):
                answers = tree[str(source)].broadcast("divide", direction)
                assert {way: answer.value for way, answer in answers.items()} == {
                    way: str(path) for way, path in expected.items()
                }
            tree[str(source)].broadcast_cast("note", direction, text="all")
        mixed.notes.wait_for(*((way, "all") for ways in mixed.broadcasts.values() for way in ways))


@pytest.mark.parametrize("old", ["east", "az1"])
def test_a_trace_names_the_link_below_its_version(old: str) -> None:
    with VersionTree(SHAPE, releases={old: "1.0"}) as tree:
        trace = tree["api"].service.manager.trace(CONTEXT, "az1", 10.0)
        if old == "east":
            with pytest.raises(exceptions.RPCVersionCapError) as caught:
                trace.result(10)
            assert caught.value.cell == "api"
            return
        found = trace.result(10)
        assert all(part in found["error"] for part in ("1.1", "east", "1.0"))
        assert [(event["cell"], event["event"]) for event in found["events"]] == [
            ("api", "asked"),
            ("east", "received"),
            ("east", "answered"),
            ("api", "answer received"),
        ]


#: The versions that differ in the way of answers or in timeouts, each combined with the newest version.
ANSWERING = {*itertools.product(("1.0", "1.4"), repeat=3), *itertools.product(("1.1", "1.4"), repeat=3)}
WIDE = {"api": {"east": {"az1": {}, "az2": {}}}}
ALL = {"api", "api!east", "api!east!az1", "api!east!az2"}


class Silenced:
    """Factory of trees in which the cells in ``silent`` receive and forward messages but do not answer."""

    def __init__(self, combinations: Sequence[Sequence[str]]) -> None:
        self._is_over = threading.Event()

        @endpoint
        def answer(call: Call, silent: str) -> None:
            if call.cell.name == silent:
                self._is_over.wait(60)

        self.trees = {
            (top, middle, leaf): VersionTree(
                WIDE,
                releases={"api": top, "east": middle, "az1": leaf, "az2": leaf},
                endpoints=[answer],
                # At 1.0 each cell uses its own timeout, which is shorter for deeper cells.
                options={"cells": {"call_timeout": 4}},
            )
            for top, middle, leaf in combinations
        }

    def __enter__(self) -> Silenced:
        for tree in self.trees.values():
            tree.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        for tree in self.trees.values():
            tree.stop()


@pytest.mark.usefixtures("wide_margins")
def test_silent_cell_is_named_and_all_others_answer() -> None:
    # All at the same time, because each lasts until its deadline.
    with Silenced(sorted(ANSWERING)) as silenced, futures.ThreadPoolExecutor(2 * len(silenced.trees)) as pool:
        broadcasts = [
            (combination, silent, pool.submit(tree["api"].broadcast, "answer", kwargs={"silent": silent}))
            for combination, tree in silenced.trees.items()
            for silent in ("east", "az2")
        ]
    for combination, silent, broadcast in broadcasts:
        answers = broadcast.result()
        path = f"api!{silent}" if silent == "east" else f"api!east!{silent}"
        assert answers.keys() == ALL, combination
        assert {way for way, answer in answers.items() if answer.error is not None} == {path}, combination
        error = answers[path].error
        assert isinstance(error, exceptions.CellTimeout), combination
        assert error.cell == path, combination

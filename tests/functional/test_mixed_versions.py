"""Trees in the middle of an upgrade: every combination of releases, and of caps, works at every step."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, wait_for
from tests.functional.notes import Notes
from tests.functional.wire_tap import VERSIONS, VersionTree

SHAPE = {"api": {"east": {"az1": {}}}}
PATHS = {"api": "api", "east": "api!east", "az1": "api!east!az1"}
LINKS = [("api", "east"), ("east", "api"), ("east", "az1"), ("az1", "east")]
#: Who hears a broadcast from each cell, by the way that leads there.
BROADCASTS = {
    ("api", "down"): {"api": "api", "api!east": "api!east", "api!east!az1": "api!east!az1"},
    ("east", "down"): {"east": "api!east", "east!az1": "api!east!az1"},
    ("az1", "up"): {"az1": "api!east!az1", "az1!east": "api!east", "az1!east!api": "api"},
}
WALKS = {
    (source, target): "!".join(way)
    for source, target, way in [
        ("api", "east", ("api", "east")),
        ("api", "az1", ("api", "east", "az1")),
        ("east", "az1", ("east", "az1")),
        ("east", "api", ("east", "api")),
        ("az1", "east", ("az1", "east")),
        ("az1", "api", ("az1", "east", "api")),
    ]
}


@endpoint
def divide(call: Call, fails_in: Sequence[str] = ()) -> str:
    """Fails in the cells that it is told."""
    if call.cell.name in fails_in:
        raise exceptions.CellNotFound("It went away.", cell=call.cell.name)
    return str(call.cell.describe()["path"])


class Mixed:
    """A tree of three cells, each of a version of its own."""

    def __init__(self, **options: Any) -> None:
        self.notes = Notes()
        self.tree = VersionTree(SHAPE, endpoints=[divide, self.notes.endpoint()], **options)

    def check(self) -> None:
        """Calls, casts, broadcasts and errors in all directions: each arrives, and each once."""
        self.tree.forget_arrivals()
        self._check_calls()
        self._check_casts()
        self._check_broadcasts()
        assert not self.tree.unreadable
        for name in PATHS:
            wait_for(lambda: not len(self.tree[name].service.pending), f"{name} waits for nothing")  # noqa: B023
            refused = {key: count for key, count in self.tree[name].counters().items() if key.startswith("rejected")}
            assert not refused

    def _check_calls(self) -> None:
        calls = {ends: self.tree[ends[0]].start_call(PATHS[ends[1]]) for ends in WALKS}
        assert {ends: call.result(10) for ends, call in calls.items()} == {ends: PATHS[ends[1]] for ends in WALKS}
        for source, target in WALKS:
            with pytest.raises(exceptions.CellNotFound, match="It went away") as caught:
                self.tree[source].call(PATHS[target], "divide", kwargs={"fails_in": [target]})
            assert caught.value.cell == target
        with pytest.raises(exceptions.UnknownMethod):
            self.tree["api"].call("az1", "no_such_method")

    def _check_casts(self) -> None:
        self.notes.taken.clear()
        for source, target in WALKS:
            self.tree[source].cast(PATHS[target], "note", text="one")
        for source, direction in BROADCASTS:
            self.tree[source].broadcast_cast("note", direction, text="all")
        everybody = [(way, "all") for ways in BROADCASTS.values() for way in ways]
        self.notes.wait_for(*((way, "one") for way in WALKS.values()), *everybody)

    def _check_broadcasts(self) -> None:
        for (source, direction), expected in BROADCASTS.items():
            answers = self.tree[source].broadcast("divide", direction)
            assert {way: answer.value for way, answer in answers.items()} == expected
            failing = self.tree[source].broadcast("divide", direction, kwargs={"fails_in": ["east", "az1"]})
            assert {way: _cell_of(answer) for way, answer in failing.items()} == {
                way: way.rpartition("!")[2] if way.endswith(("east", "az1")) else None for way in expected
            }


def _cell_of(answer: Response) -> str | None:
    """The cell that an error names; None if there is none."""
    if answer.error is None:
        return None
    assert isinstance(answer.error, exceptions.CellNotFound)
    return answer.error.cell


COMBINATIONS = list(itertools.product(VERSIONS, repeat=3))


def named(combination: Sequence[str]) -> dict[str, str]:
    return dict(zip(PATHS, combination, strict=True))


@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_releases_of_every_combination_work_together(combination: Sequence[str]) -> None:
    releases = named(combination)
    mixed = Mixed(releases=releases)
    with mixed.tree as tree:
        for cell, neighbor in LINKS:
            tree.wait_until_spoken(cell, neighbor, min(releases[cell], releases[neighbor]))
        mixed.check()


#: Each two links in the two directions, and the two links of the cell in the middle, meet in all combinations.
CAPPED = [(one, other, one) for one, other in itertools.permutations(VERSIONS, 2)]


@pytest.mark.parametrize("combination", CAPPED, ids="-".join)
def test_caps_that_differ_between_the_two_directions_of_a_link_work_together(combination: Sequence[str]) -> None:
    caps = named(combination)
    mixed = Mixed(cell_options={name: {"upgrade_levels": {"intercell": cap}} for name, cap in caps.items()})
    with mixed.tree as tree:
        assert {ends: tree.spoken(*ends) for ends in LINKS} == {(cell, other): caps[cell] for cell, other in LINKS}
        mixed.check()


@pytest.mark.parametrize("combination", CAPPED, ids="-".join)
def test_caps_of_neighbors_that_differ_within_a_cell_work_together(combination: Sequence[str]) -> None:
    first, second, _ = combination
    caps = dict(zip(LINKS, (first, second, second, first), strict=True))
    mixed = Mixed(caps=caps)
    with mixed.tree as tree:
        for ends, cap in caps.items():
            tree.wait_until_spoken(*ends, cap)
        mixed.check()


@pytest.mark.parametrize("combination", CAPPED[::3], ids="-".join)
def test_several_managers_of_each_cell_work_together(combination: Sequence[str]) -> None:
    mixed = Mixed(releases=named(combination), managers=dict.fromkeys(PATHS, 2))
    with mixed.tree as tree:
        for source, target in WALKS:
            calls = [tree[source].start_call(PATHS[target], manager=number % 2) for number in range(4)]
            assert [call.result(10) for call in calls] == [PATHS[target]] * 4
        for (source, direction), expected in BROADCASTS.items():
            for _ in range(2):
                answers = tree[source].broadcast("divide", direction)
                assert {way: answer.value for way, answer in answers.items()} == expected
            tree[source].broadcast_cast("note", direction, text="all")
        mixed.notes.wait_for(*((way, "all") for ways in BROADCASTS.values() for way in ways))


@pytest.mark.parametrize("old", ["east", "az1"])
def test_trace_says_where_the_link_is_that_can_not_carry_it(old: str) -> None:
    with VersionTree(SHAPE, releases={old: "1.0"}) as tree:
        trace = tree["api"].service.manager.trace(CONTEXT, "az1", 10.0)
        if old == "east":
            with pytest.raises(exceptions.RPCVersionCapError, match=r"api speaks 1\.0 to the next cell") as caught:
                trace.result(10)
            assert caught.value.cell == "api"
            return
        found = trace.result(10)
        assert "needs version 1.1" in found["error"]
        assert "east speaks 1.0 to the next cell" in found["error"]
        assert [(event["cell"], event["event"]) for event in found["events"]] == [
            ("api", "asked"),
            ("east", "received"),
            ("east", "answered"),
            ("api", "answer received"),
        ]


#: Of the versions that differ in how answers travel and in who waits how long, each with the newest one.
ANSWERING = {*itertools.product(("1.0", "1.3"), repeat=3), *itertools.product(("1.1", "1.3"), repeat=3)}
WIDE = {"api": {"east": {"az1": {}, "az2": {}}}}
ALL = {"api", "api!east", "api!east!az1", "api!east!az2"}


class Silenced:
    """Trees in which a cell takes what comes, passes it on, and does not answer if its name is in ``silent``."""

    def __init__(self, combinations: Sequence[Sequence[str]]) -> None:
        self._is_over = threading.Event()

        @endpoint
        def answer(call: Call, silent: str) -> None:
            if call.cell.name == silent:
                self._is_over.wait(60)

        self.trees = [
            VersionTree(
                WIDE,
                releases={"api": top, "east": middle, "az1": leaf, "az2": leaf},
                endpoints=[answer],
                # At 1.0 each cell waits by its own time, less the deeper it is.
                options={"cells": {"call_timeout": 3}},
            )
            for top, middle, leaf in combinations
        ]

    def __enter__(self) -> Silenced:
        for tree in self.trees:
            tree.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        for tree in self.trees:
            tree.stop()


@pytest.fixture
def silenced(request: pytest.FixtureRequest) -> Iterator[Silenced]:
    with Silenced(request.param) as silenced:
        yield silenced


@pytest.mark.parametrize(
    "silenced",
    [sorted(one for one in ANSWERING if one[0] == top) for top in ("1.0", "1.1", "1.3")],
    ids=["below-1.0", "below-1.1", "below-1.3"],
    indirect=True,
)
def test_silent_cell_is_named_and_all_others_answer(silenced: Silenced) -> None:
    # All at once: each takes as long as its deadline.
    with futures.ThreadPoolExecutor(2 * len(silenced.trees)) as pool:
        broadcasts = [
            (silent, pool.submit(tree["api"].broadcast, "answer", kwargs={"silent": silent}))
            for tree in silenced.trees
            for silent in ("east", "az2")
        ]
    for silent, broadcast in broadcasts:
        answers = broadcast.result()
        path = f"api!{silent}" if silent == "east" else f"api!east!{silent}"
        assert answers.keys() == ALL
        assert {way for way, answer in answers.items() if answer.error is not None} == {path}
        error = answers[path].error
        assert isinstance(error, exceptions.CellTimeout)
        assert error.cell == path

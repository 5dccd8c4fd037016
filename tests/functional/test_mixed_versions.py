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
from tests.functional.cell_tree import CONTEXT, Shape
from tests.functional.notes import Notes
from tests.functional.wire_tap import VersionTree
from tests.thorough import cases

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
        self.tree.wait_until_idle()
        for cell in self.tree.cells.values():
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


#: The releases of three cells, one below the other.  Few of them have each pair of releases at each two places.
COMBINATIONS = cases(
    itertools.product(VERSIONS, repeat=3),
    (
        (top, middle, VERSIONS[(number + other) % len(VERSIONS)])
        for number, top in enumerate(VERSIONS)
        for other, middle in enumerate(VERSIONS)
    ),
)


@pytest.mark.parametrize("top", VERSIONS)
def test_releases_of_every_combination_work_together(top: str) -> None:
    """In one tree, whose top has a child for each release of the middle."""
    releases = {"api": top}
    shape: dict[str, Any] = {"api": {}}
    for _, middle, leaf in (combination for combination in COMBINATIONS if combination[0] == top):
        east, az = f"east{middle}", f"az{middle}-{leaf}"
        releases |= {east: middle, az: leaf}
        shape["api"].setdefault(east, {})[az] = {}
    mixed = Mixed(shape, releases=releases)
    assert set(shape["api"]) == {f"east{middle}" for middle in VERSIONS}
    with mixed as tree:
        for path in tree.cells:
            for neighbor in tree[path.last].service.table.snapshot().all():
                tree.wait_for_version(path.last, neighbor, min(releases[path.last], releases[neighbor]))
        mixed.check()


#: All combinations of the two directions of a link, and of the two links of the middle cell.
CAPPED = list(itertools.permutations(VERSIONS, 2))


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


@pytest.mark.parametrize(
    ("links", "combinations"),
    [("memory", CAPPED), ("direct", cases(CAPPED, CAPPED[::3]))],
    ids=["memory", "direct"],
)
def test_caps_of_neighbors_that_differ_within_a_cell_work_together(
    links: str, combinations: Sequence[tuple[str, str]]
) -> None:
    """In one tree with a branch for each combination."""
    caps: dict[tuple[str, str], str] = {}
    shape: dict[str, Any] = {"api": {}}
    for first, second in combinations:
        east, az = f"east{first}-{second}", f"az{first}-{second}"
        caps |= {("api", east): first, (east, "api"): second, (east, az): second, (az, east): first}
        shape["api"][east] = {az: {}}
    mixed = Mixed(shape, caps=caps, links=links)
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


@pytest.mark.parametrize("cap", VERSIONS)
def test_capped_direct_links_of_several_managers_work_together(cap: str) -> None:
    """Direct links exist since this release, so its cells lower their versions by caps alone."""
    caps = {("api", "east"): cap, ("az1", "east"): cap}
    mixed = Mixed(SHAPE, caps=caps, managers={"east": 2}, links="direct")
    with mixed as tree:
        for ends, version in caps.items():
            tree.wait_for_version(*ends, version)
        mixed.check()


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


#: The versions that differ in the way of answers or in timeouts, each combined with the newest version.  Few of them:
#: one cell, or all three, have the older version.
ANSWERING = cases(
    {*itertools.product(("1.0", "1.4"), repeat=3), *itertools.product(("1.1", "1.4"), repeat=3)},
    [
        combination
        for old in ("1.0", "1.1")
        for combination in ((old, "1.4", "1.4"), ("1.4", old, "1.4"), ("1.4", "1.4", old), (old, old, old))
    ],
)


class Silenced:
    """Trees, by the release of their top, in which some cells receive and forward messages but do not answer.

    Each combination is a branch: a cell with two children.
    """

    def __init__(self) -> None:
        self._is_over = threading.Event()

        @endpoint
        def answer(call: Call, silent: str) -> None:
            if call.cell.name.startswith(silent):
                self._is_over.wait(60)

        shapes: dict[str, dict[str, Any]] = {}
        releases: dict[str, dict[str, str]] = {}
        for top, middle, leaf in sorted(ANSWERING):
            branch = f"{middle}-{leaf}"
            east, *children = names = [f"{name}-{branch}" for name in ("east", "az1", "az2")]
            shapes.setdefault(top, {})[east] = {child: {} for child in children}
            releases.setdefault(top, {"api": top}).update(zip(names, (middle, leaf, leaf), strict=True))
        self.trees = {
            top: VersionTree(
                {"api": shape},
                releases=releases[top],
                endpoints=[answer],
                # At 1.0 each cell uses its own timeout, which is shorter for deeper cells.  All branches answer at
                # the same time, so a busy machine needs longer for more of them.
                options={"cells": {"call_timeout": len(ANSWERING) // 2}},
            )
            for top, shape in shapes.items()
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
    with Silenced() as silenced, futures.ThreadPoolExecutor(2 * len(silenced.trees)) as pool:
        broadcasts = [
            (top, silent, pool.submit(tree["api"].broadcast, "answer", kwargs={"silent": silent}))
            for top, tree in silenced.trees.items()
            for silent in ("east", "az2")
        ]
    for top, silent, broadcast in broadcasts:
        answers = broadcast.result()
        paths = set(silenced.trees[top].cells)
        assert answers.keys() == {str(path) for path in paths}, top
        failed = {way: answer.error for way, answer in answers.items() if answer.error is not None}
        assert failed.keys() == {str(path) for path in paths if path.last.startswith(silent)}, (top, silent)
        for way, error in failed.items():
            assert isinstance(error, exceptions.CellTimeout), (top, silent)
            assert error.cell == way, (top, silent)

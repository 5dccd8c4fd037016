"""Faults of a link between two cells, as a caller sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.notes import Notes

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
#: Longer than any test.
LONG_SECONDS = 600.0
AZ1 = ("api!east!az1", "news")


@pytest.fixture(scope="module")
def shared_notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def shared_tree(shared_notes: Notes) -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[shared_notes.endpoint(blocks=False)]) as tree:
        yield tree


@pytest.fixture
def notes(shared_notes: Notes) -> Notes:
    shared_notes.taken.clear()
    return shared_notes


@pytest.fixture
def tree(shared_tree: CellTree) -> Iterator[CellTree]:
    yield shared_tree
    for ends in (("api", "east"), ("east", "az1"), ("api", "west")):
        shared_tree.link(*ends).restore()


def dropped(tree: CellTree, cell: str, kind: str) -> int:
    return tree[cell].counters().get(f"dropped.{kind}", 0)


def call(tree: CellTree, target: str = "az1", timeout: float | None = None) -> None:
    tree["api"].call(target, "note", kwargs={"text": "news"}, timeout=timeout)


@pytest.mark.parametrize("end", ["api", "east"])
def test_only_messages_of_the_test_are_dropped(cell_tree: Callable[..., CellTree], end: str) -> None:
    # Not a message that managers send at start to learn about each other.
    for _ in range(3):
        tree = cell_tree(SHAPE)
        with tree.link("api", "east").toward(end).drop(1), pytest.raises(exceptions.CallTimeout):
            tree["api"].call("east", timeout=0.1)
        assert tree["api"].call("east") == "api!east"


def test_a_delayed_call_does_not_delay_others(tree: CellTree) -> None:
    link = tree.link("api", "east").delay(LONG_SECONDS)
    held = [tree["api"].start_call(target) for target in ("east", "az1")]
    assert tree["api"].call("west") == "api!west"
    assert tree["east"].call("az1") == "api!east!az1"
    assert not any(one.done() for one in held)
    link.restore()
    assert [one.result(10) for one in held] == ["api!east", "api!east!az1"]


def test_the_delay_has_the_given_length(tree: CellTree, notes: Notes) -> None:
    tree.link("api", "east").toward("east").delay(0.3)
    with pytest.raises(exceptions.CallTimeout):
        call(tree, timeout=0.1)
    assert notes.taken == []
    notes.wait_for(AZ1)
    call(tree)


def test_casts_that_are_delayed_keep_their_order(tree: CellTree, notes: Notes) -> None:
    link = tree.link("api", "east").delay(0.1)
    for number in range(20):
        if number == 10:
            link.delay(0)
        tree["api"].cast("east", "note", text=str(number))
    expected = [("api!east", str(number)) for number in range(20)]
    wait_for(lambda: len(notes.taken) >= len(expected), "all are recorded")
    assert notes.taken == expected


def test_a_duplicate_request_runs_once_and_has_one_answer(tree: CellTree, notes: Notes) -> None:
    before = dropped(tree, "az1", "duplicate")
    tree.link("api", "east").toward("east").duplicate(1)
    call(tree)
    wait_for(lambda: dropped(tree, "az1", "duplicate") > before, "the second request is dropped")
    call(tree)
    assert notes.taken == [AZ1] * 2


def test_a_duplicate_answer_is_delivered_once(tree: CellTree, notes: Notes) -> None:
    before = dropped(tree, "api", "response")
    tree.link("api", "east").toward("api").duplicate(1)
    call(tree)
    wait_for(lambda: dropped(tree, "api", "response") > before, "the second answer is dropped")
    assert notes.taken == [AZ1]


@pytest.mark.parametrize("ends", [("api", "east"), ("east", "az1")])
def test_call_over_a_link_that_is_cut_is_an_error_at_once(tree: CellTree, notes: Notes, ends: tuple[str, str]) -> None:
    with tree.link(*ends).toward(ends[1]).cut():
        with pytest.raises(exceptions.NeighborUnreachable) as caught:
            call(tree, timeout=LONG_SECONDS)
        assert caught.value.cell == ends[1]
        assert tree["api"].call("west") == "api!west"
    assert notes.taken == []
    call(tree)
    assert notes.taken == [AZ1]


def test_a_cut_loses_delayed_messages(tree: CellTree, notes: Notes) -> None:
    link = tree.link("api", "west").delay(LONG_SECONDS)
    tree["api"].cast("west", "note", text="lost")
    # The arrival of a later call shows that the message has left its cell.
    with pytest.raises(exceptions.CallTimeout):
        tree["api"].call("west", timeout=0.2)
    link.cut().restore()
    tree["api"].cast("west", "note", text="found")
    notes.wait_for(("api!west", "found"))


def test_broadcast_names_the_cells_behind_a_link_that_is_cut(tree: CellTree) -> None:
    tree.link("api", "east").cut()
    answers = tree["api"].broadcast()
    assert {path for path, answer in answers.items() if answer.error is None} == {"api", "api!west"}
    assert isinstance(answers["api!east"].error, exceptions.NeighborUnreachable)


def test_the_tree_ends_with_faults_and_delayed_messages(cell_tree: Callable[..., CellTree]) -> None:
    tree = CellTree(SHAPE, options={"DEFAULT": {"graceful_shutdown_timeout": 1}})
    with tree:
        tree.link("api", "east").delay(LONG_SECONDS)
        held = tree["api"].start_call("east", timeout=0.1)
        with pytest.raises(exceptions.CallTimeout):
            held.result(10)
        tree.link("api", "west").cut()
    tree.stop()


def test_link_is_between_neighbors(tree: CellTree) -> None:
    with pytest.raises(exceptions.NeighborNotFound):
        tree.link("api", "az1")
    with pytest.raises(exceptions.CellNotFound):
        tree.link("api", "north")

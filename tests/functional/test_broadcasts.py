"""Broadcasts reach every cell in one direction, and all answers return."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cells import exceptions
from tests.cases import each
from tests.functional.cell_tree import CONTEXT, CellTree
from tests.functional.notes import Notes

SHAPE = {"api": {"east": {"az1": {}, "az2": {}}, "west": {}}}

#: source, direction, ways from the source to the reached cells
REACHED = [
    pytest.param("api", "down", ["api", "api!east", "api!east!az1", "api!east!az2", "api!west"], id="top-down"),
    pytest.param("east", "down", ["east", "east!az1", "east!az2"], id="middle-down"),
    pytest.param("az1", "down", ["az1"], id="leaf-down"),
    pytest.param("az1", "up", ["az1", "az1!east", "az1!east!api"], id="leaf-up"),
    pytest.param("east", "up", ["east", "east!api"], id="middle-up"),
    pytest.param("api", "up", ["api"], id="top-up"),
]


NOTES = Notes()


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[NOTES.endpoint()]) as tree:
        yield tree


@each(("source", "direction", "ways"), REACHED)
def test_every_cell_in_that_direction_answers_once(
    tree: CellTree, source: str, direction: str, ways: list[str]
) -> None:
    answers = tree[source].broadcast(direction=direction)
    assert sorted(answers) == ways
    assert {way: answers[way].value for way in ways} == {way: str(tree[way.rpartition("!")[2]].path) for way in ways}


@each(("source", "direction", "ways"), REACHED)
def test_the_source_can_exclude_itself(tree: CellTree, source: str, direction: str, ways: list[str]) -> None:
    assert sorted(tree[source].broadcast(direction=direction, run_locally=False)) == ways[1:]


@each("run_locally", [True, False])
@each(("source", "direction", "ways"), REACHED)
def test_broadcast_without_answers_runs_once_in_every_cell(
    tree: CellTree, source: str, direction: str, ways: list[str], run_locally: bool
) -> None:
    NOTES.taken.clear()
    tree[source].broadcast_cast("note", direction, run_locally=run_locally, text="news")
    NOTES.wait_for(*((way, "news") for way in (ways if run_locally else ways[1:])))


def test_an_unknown_direction_is_refused(tree: CellTree) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="sideways"):
        tree["api"].broadcast(direction="sideways")


def test_no_state_remains_after_all_answers(tree: CellTree) -> None:
    tree["api"].broadcast()
    tree.wait_until_idle()


def test_arguments_reach_every_cell(tree: CellTree) -> None:
    answers = tree["api"].broadcast(kwargs={"colour": "red"})
    assert len(answers) == 5
    assert all(isinstance(answer.error, exceptions.InvalidArguments) for answer in answers.values())


def test_topology_is_drawn_from_the_answers(tree: CellTree) -> None:
    root = tree["east"].service.manager.topology(CONTEXT).result(10)
    (east,) = root["children"]
    assert (root["path"], root["state"], root["is_self"]) == ("api", "up", False)
    assert (east["path"], east["state"], east["is_self"]) == ("api!east", "up", True)
    assert [(child["path"], child["state"]) for child in east["children"]] == [
        ("api!east!az1", "up"),
        ("api!east!az2", "up"),
    ]

"""Calls reach their target from any cell, and the answer returns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cells import exceptions
from tests.cases import each
from tests.functional.cell_tree import CONTEXT, CellTree

SHAPE = {"api": {"east": {"az1": {"rack": {}}, "shared": {}}, "west": {"az2": {}, "shared": {}}}}


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE) as tree:
        yield tree


@each(
    ("source", "target", "path"),
    [
        pytest.param("api", "api!east", "api!east", id="down-one-hop"),
        pytest.param("api", "api!east!az1!rack", "api!east!az1!rack", id="down-three-hops"),
        pytest.param("api", "rack", "api!east!az1!rack", id="down-by-short-name"),
        pytest.param("east", "rack", "api!east!az1!rack", id="down-by-short-name-from-the-middle"),
        pytest.param("east", "api", "api", id="up-one-hop"),
        pytest.param("rack", "api", "api", id="up-three-hops"),
        pytest.param("rack", "east", "api!east", id="up-by-short-name"),
        pytest.param("rack", "api!east!az1", "api!east!az1", id="up-by-path"),
        pytest.param("east", "api!west", "api!west", id="sibling"),
        pytest.param("rack", "api!west!az2", "api!west!az2", id="up-to-the-top-and-down"),
        pytest.param("rack", "api!east!shared", "api!east!shared", id="up-to-the-common-ancestor-and-down"),
        pytest.param("api", "api!west!shared", "api!west!shared", id="name-that-two-cells-have"),
        pytest.param("api", "api", "api", id="top-itself"),
        pytest.param("east", "east", "api!east", id="itself-by-short-name"),
        pytest.param("az2", "api!west!az2", "api!west!az2", id="itself-by-path"),
    ],
)
def test_a_call_is_answered_by_its_target(tree: CellTree, source: str, target: str, path: str) -> None:
    assert tree[source].call(target) == path
    tree.wait_until_idle()


def test_ambiguous_short_name_is_refused_with_the_candidates(tree: CellTree) -> None:
    with pytest.raises(exceptions.AmbiguousCell) as caught:
        tree["api"].call("shared")
    assert caught.value.candidates == ["api!east!shared", "api!west!shared"]
    assert all(candidate in str(caught.value) for candidate in caught.value.candidates)


def test_a_name_of_one_cell_below_is_not_ambiguous(tree: CellTree) -> None:
    assert tree["east"].call("shared") == "api!east!shared"


@each(
    ("source", "target", "cell"),
    [
        pytest.param("api", "nowhere", "nowhere", id="short-name"),
        pytest.param("rack", "other!east", "other!east", id="another-top"),
        pytest.param("api", "api!nowhere", "nowhere", id="unknown-child"),
        pytest.param("api", "api!east!nowhere", "nowhere", id="unknown-grandchild"),
        pytest.param("rack", "api!west!nowhere", "nowhere", id="unknown-behind-the-common-ancestor"),
    ],
)
def test_unknown_cell_is_an_error_that_names_it(tree: CellTree, source: str, target: str, cell: str) -> None:
    with pytest.raises(exceptions.CellNotFound, match=cell) as caught:
        tree[source].call(target)
    assert caught.value.cell == cell


@each("target", ["", "api!!east", "!", "api!ea st", "a" * 300])
def test_an_invalid_path_is_refused(tree: CellTree, target: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        tree["api"].call(target)


def test_a_way_is_located_without_a_message(tree: CellTree) -> None:
    assert tree["rack"].service.manager.locate(CONTEXT, "api!west!az2") == "rack!az1!east!api!west!az2"

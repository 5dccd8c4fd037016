"""Casts run in their target cell, without an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from tests.cases import each
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.notes import Notes

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


NOTES = Notes()


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[NOTES.endpoint()]) as tree:
        yield tree


@endpoint
def stumble(call: Call) -> None:
    raise RuntimeError("The floor was wet.")


@each(
    ("source", "target", "route"),
    [
        pytest.param("api", "az1", "api!east!az1", id="down"),
        pytest.param("az1", "api", "az1!east!api", id="up"),
        pytest.param("az1", "api!west", "az1!east!api!west", id="up-and-down"),
        pytest.param("west", "west", "west", id="itself"),
    ],
)
def test_a_cast_runs_once_in_its_target(tree: CellTree, source: str, target: str, route: str) -> None:
    NOTES.taken.clear()
    tree[source].cast(target, "note", text="hello")
    NOTES.wait_for((route, "hello"))


def test_cast_to_an_unknown_cell_is_refused_at_once(
    cell_tree: Callable[..., CellTree], caplog: pytest.LogCaptureFixture
) -> None:
    api = cell_tree({"api": {}})["api"]
    with caplog.at_level(logging.INFO, "cells"), pytest.raises(exceptions.CellNotFound):
        api.cast("nowhere", "note")
    # Over RPC a cast has no answer, so the error is in the manager's log.
    assert ["'nowhere'" in message for message in caplog.messages if "refused" in message] == [True]
    assert api.counters()["refused.CellNotFound"] == 1


def test_a_cast_that_fails_far_away_is_only_counted_there(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, endpoints=[stumble])
    # The messages of the start have arrived; some of their answers are outdated, so the manager drops them.
    tree.link("api", "east")
    dropped = tree["api"].counters().get("dropped.response", 0)
    for method in ("stumble", "no_such_method"):
        tree["api"].cast("az1", method)
    tree["api"].cast("api!east!nowhere", "stumble")
    for cell, counted in (
        ("az1", "failed.Exception"),
        ("az1", "failed.UnknownMethod"),
        ("east", "failed.CellNotFound"),
    ):
        wait_for(lambda: tree[cell].counters().get(counted) == 1, f"{cell} counts {counted}")  # noqa: B023
    assert tree["api"].call("az1") == "api!east!az1"
    assert tree["api"].counters().get("dropped.response", 0) == dropped


def test_a_cast_to_a_dead_cell_is_counted_by_its_neighbor(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    tree["az1"].stop()
    before = tree["east"].counters().get("undelivered.NeighborUnreachable", 0)
    tree["api"].cast("az1", "where")
    wait_for(
        lambda: tree["east"].counters().get("undelivered.NeighborUnreachable", 0) == before + 1,
        "east counts the undelivered cast",
    )

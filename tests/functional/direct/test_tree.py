"""Trees of cells whose managers are joined by direct links."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells import exceptions
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.notes import Notes

TREE = {"api": {"east": {"az1": {}}, "west": {}}}
ALL = ["api", "api!east", "api!east!az1", "api!west"]
Start = Callable[..., CellTree]


@pytest.fixture
def tree(cell_tree: Start) -> CellTree:
    return cell_tree(TREE, links="direct")


def test_calls_up_down_and_across(tree: CellTree) -> None:
    assert tree["api"].call("az1") == "api!east!az1"
    assert tree["az1"].call("api") == "api"
    assert tree["az1"].call("api!west") == "api!west"


def test_broadcasts_reach_all_cells(tree: CellTree) -> None:
    assert sorted(tree["api"].broadcast()) == ALL
    assert len(tree["az1"].broadcast(direction="up")) == 3


def test_an_argument_longer_than_a_frame_arrives(cell_tree: Start) -> None:
    notes = Notes()
    tree = cell_tree(TREE, links="direct", endpoints=[notes.endpoint()])
    text = "ü" * 200_000
    tree["api"].cast("az1", "note", text=text)
    notes.wait_for(("api!east!az1", text))


def test_casts_arrive_once_in_the_presence_of_several_managers(cell_tree: Start) -> None:
    notes = Notes()
    tree = cell_tree(TREE, links="direct", endpoints=[notes.endpoint()], managers={"east": 2, "az1": 2})
    for number in range(200):
        tree["api"].cast("az1", "note", text=str(number))
    wait_for(lambda: len(notes.taken) >= 200, "all casts run")
    assert sorted(int(text) for _, text in notes.taken) == list(range(200))
    assert tree["api"].call("az1", manager=0) == "api!east!az1"
    assert [call.result(10) for call in [tree["east"].start_call("az1", manager=one) for one in (0, 1)]] == [
        "api!east!az1"
    ] * 2


def test_the_state_of_a_link_follows_its_connection(cell_tree: Start) -> None:
    tree = cell_tree(TREE, links="direct", options={"cells_direct": {"reconnect_wait": 0.5}})
    wait_for(lambda: tree["api"].neighbors()["west"]["state"] == "up", "the neighbor has answered")
    tree["west"].stop()
    wait_for(lambda: tree["api"].neighbors()["west"]["state"] == "unreachable", "the link is down")
    with pytest.raises(exceptions.NeighborUnreachable):
        tree["api"].call("west")
    assert tree["api"].service.manager.links_down({}, "west") == ["west"]
    assert tree["api"].call("az1") == "api!east!az1"

"""Several managers per cell: each request goes to one manager, each answer to the waiting manager."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells.endpoints import Call, endpoint
from cells.transport import request_ids
from cells.versions import CURRENT
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for
from tests.functional.notes import Notes

SHAPE = {"api": {"east": {"az1": {}}}}
TWO = {"api": 2, "east": 2}


@endpoint
def host(call: Call) -> str:
    return str(call.cell.describe()["host"])


def wait_for_version(tree: CellTree, version: str) -> None:
    """Wait until all managers of api and east have agreed on a version and sent their announcements."""
    managers = [*tree["api"].managers, *tree["east"].managers]

    def is_agreed() -> bool:
        links = [link for manager in managers for link in manager.cell.links()["links"]]
        return {link["spoken"] for link in links} == {version} and not any(len(manager.pending) for manager in managers)

    wait_for(is_agreed, f"all speak {version}")
    for number in range(2):
        # After this answer no earlier fan-out can arrive.
        tree["api"].call("east", manager=number)


def share_calls(tree: CellTree) -> None:
    """Make 40 calls through both managers of a cell."""
    api = tree["api"]
    calls = [api.start_call("east", "host", manager=number % 2) for number in range(40)]
    assert {call.result(10) for call in calls} == {"east-1", "east-2"}
    tree.wait_until_idle()


def dropped(tree: CellTree) -> int:
    """Return the number of answers that reached the wrong manager of a cell."""
    return tree["api"].counters().get("dropped.response", 0)


def test_answers_go_only_to_the_calling_manager(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, managers=TWO, endpoints=[host])
    wait_for_version(tree, CURRENT)
    before = dropped(tree)
    share_calls(tree)
    for number in range(2):
        tree["api"].call("east", manager=number)
    assert dropped(tree) == before


def test_under_a_cap_of_1_0_answers_are_fanned_out_and_the_other_manager_drops_them(
    cell_tree: Callable[..., CellTree],
) -> None:
    tree = cell_tree(SHAPE, managers=TWO, endpoints=[host], options={"upgrade_levels": {"intercell": "1.0"}})
    wait_for_version(tree, "1.0")
    before = dropped(tree)
    share_calls(tree)
    wait_for(lambda: dropped(tree) >= before + 40, "the other manager drops each answer")


@pytest.mark.parametrize("number", [0, 1])
def test_call_through_a_relay_comes_back_to_its_manager(cell_tree: Callable[..., CellTree], number: int) -> None:
    tree = cell_tree(SHAPE, managers=TWO)
    assert [tree["api"].call("az1", manager=number) for _ in range(5)] == ["api!east!az1"] * 5
    assert tree["az1"].call("api") == "api"


def test_broadcast_runs_once_in_each_cell(cell_tree: Callable[..., CellTree]) -> None:
    notes = Notes()
    tree = cell_tree(SHAPE, managers={**TWO, "az1": 3}, endpoints=[notes.endpoint()])
    assert sorted(tree["api"].broadcast()) == ["api", "api!east", "api!east!az1"]
    tree["api"].broadcast_cast("note", text="news")
    notes.wait_for(("api", "news"), ("api!east", "news"), ("api!east!az1", "news"))


def test_all_managers_get_the_announcements_of_a_child(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, managers=TWO, cell_options={"az1": {"cells": {"capabilities": "os=linux"}}})
    for manager in (*tree["api"].managers, *tree["east"].managers):
        wait_for(lambda: manager.manager.capabilities(CONTEXT) == {"os": ["linux"]}, "all know az1")  # noqa: B023


def test_one_manager_stops_and_the_other_continues(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, managers=TWO, endpoints=[host])
    tree["east"].managers[0].stop()
    assert {tree["api"].call("east", "host") for _ in range(6)} == {"east-2"}
    assert tree["api"].call("az1") == "api!east!az1"


def test_a_request_that_the_broker_gives_to_two_managers_runs_once(cell_tree: Callable[..., CellTree]) -> None:
    notes = Notes()
    tree = cell_tree(SHAPE, managers={"api": 2}, endpoints=[notes.endpoint()])
    first, second = [manager.manager for manager in tree["api"].managers]
    for manager in (first, second):
        request_ids.begin("4f2a")  # as the RPC server of a manager does
        manager.cast(CONTEXT, "az1", "note", {"text": "one"})
        manager.cast(CONTEXT, "az1", "note", {"text": "two"})
        manager.broadcast_cast(CONTEXT, "note", {"text": "all"}, "down", run_locally=False)
    request_ids.begin(None)
    wait_for(lambda: tree["az1"].counters().get("dropped.duplicate") == 3, "the copies are dropped")
    notes.wait_for(("api!east", "all"), *(("api!east!az1", text) for text in ("one", "two", "all")))

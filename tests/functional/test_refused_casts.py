"""Casts and broadcasts of a service fail while its manager knows that a link is down (case C1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells import exceptions
from cells.rpcapi import CellsAPI
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for

Start = Callable[..., CellTree]


def cut(tree: CellTree, neighbor: str) -> None:
    """Cut the link from api, and have a message fail there."""
    tree.link("api", neighbor).cut()
    tree["api"].cast(neighbor, "where")
    wait_for(lambda: tree["api"].neighbors()[neighbor]["lost"] == 1, "the manager knows that the link is down")


def is_refused(api: CellsAPI, target: str) -> bool:
    try:
        api.cast(CONTEXT, target, "where")
    except exceptions.NeighborUnreachable as error:
        return error.cell == "east"
    return False


def test_casts_fail_until_the_link_is_back(cell_tree: Start) -> None:
    tree = cell_tree({"api": {"east": {"az1": {}}, "west": {}}}, services=True)
    api = CellsAPI(tree["api"].transport)
    cut(tree, "east")
    for target in ("east", "api!east!az1", "east"):
        assert is_refused(api, target)
    api.cast(CONTEXT, "west", "where")
    assert tree["api"].neighbors()["east"]["lost"] == 1, "a cast that failed is not counted as lost"
    tree.link("api", "east").restore()
    # The manager pings a neighbor that casts are refused for.
    wait_for(lambda: not is_refused(api, "east"), "casts are taken again")


def test_a_broadcast_names_the_neighbors_that_do_not_get_it(cell_tree: Start) -> None:
    tree = cell_tree({"api": {"east": {}, "west": {}}}, services=True)
    api = CellsAPI(tree["api"].transport)
    # An answer may come before the thread that has sent the question notes that the neighbor takes messages again.
    wait_for(lambda: not tree["api"].service.cell.links_down(["east", "west"]), "no link is down after the start")
    api.broadcast_cast(CONTEXT, "where")
    wait_for(lambda: tree["west"].counters().get("received", 0) >= 1, "the broadcast arrives")
    cut(tree, "east")
    other = CellsAPI(tree["api"].transport)
    before = tree["west"].counters()["received"]
    with pytest.raises(exceptions.NeighborUnreachable) as raised:
        other.broadcast_cast(CONTEXT, "where")
    assert raised.value.cell == "east"
    wait_for(lambda: tree["west"].counters()["received"] > before, "the others get the broadcast")


def test_a_cast_to_a_cell_that_no_cell_knows_fails(cell_tree: Start) -> None:
    tree = cell_tree({"api": {}}, services=True)
    api = CellsAPI(tree["api"].transport)
    for _ in range(2):
        with pytest.raises(exceptions.CellNotFound):
            api.cast(CONTEXT, "no_such_cell", "where")
    assert tree["api"].service.manager.status(CONTEXT)["losses"] == {}

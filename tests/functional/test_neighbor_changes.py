"""Neighbors can be added, deleted and changed without a restart, and stay while their source is down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from tests.functional.cell_tree import CellTree, TreeCell, wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


def row_of(cell: TreeCell, *, is_parent: bool = False) -> Neighbor:
    return Neighbor(cell.path.last, cell.transport_url, is_parent=is_parent, driver="memory")


def test_neighbor_that_is_deleted_and_added_again(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api = tree["api"]
    api.database.delete("west")
    assert api.call("west") == "api!west"
    assert api.service.loader.load()
    with pytest.raises(exceptions.CellNotFound):
        api.call("api!west")
    assert sorted(api.broadcast()) == ["api", "api!east", "api!east!az1"]
    assert api.call("az1") == "api!east!az1"

    api.database.create(row_of(tree["west"]))
    assert api.service.loader.load()
    assert api.call("west") == "api!west"
    wait_for(lambda: api.neighbors()["west"]["state"] == "up", "west has answered a ping")


def test_a_neighbor_with_a_new_url_is_reached(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api = tree["api"]
    api.database.update("west", transport_url="memory://nowhere/west")
    assert api.service.loader.load()
    with pytest.raises(exceptions.NeighborUnreachable):
        api.call("west")
    wait_for(lambda: api.neighbors()["west"]["state"] == "unreachable", "west is shown as unreachable")
    api.database.update("west", transport_url=tree["west"].transport_url)
    assert api.service.loader.load()
    assert api.call("west") == "api!west"
    wait_for(lambda: api.neighbors()["west"]["state"] == "up", "west is shown as up")


def test_subtree_that_moves_learns_its_new_place(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    tree["api"].database.delete("east")
    tree["east"].database.delete("api")
    tree["west"].database.create(row_of(tree["east"]))
    tree["east"].database.create(row_of(tree["west"], is_parent=True))
    for name in ("api", "west", "east"):
        assert tree[name].service.loader.load()
    topology = tree["az1"].service.topology
    wait_for(lambda: str(topology.own_path) == "api!west!east!az1", "az1 knows its new path")
    wait_for(
        lambda: tree["api"].service.topology.subtree() == {"west": {"east": {"az1": {}}}}, "api knows who is below it"
    )
    assert tree["api"].call("az1") == "api!west!east!az1"
    assert tree["az1"].call("api") == "api"


def test_cells_below_learn_of_a_new_parent(cell_tree: Callable[..., CellTree]) -> None:
    top, tree = cell_tree({"api": {}}), cell_tree({"east": {"az1": {}}})
    assert tree["az1"].call("east") == "east"
    top["api"].database.create(row_of(tree["east"]))
    tree["east"].database.create(row_of(top["api"], is_parent=True))
    for cell in (top["api"], tree["east"]):
        assert cell.service.loader.load()
    topology = tree["az1"].service.topology
    wait_for(lambda: str(topology.own_path) == "api!east!az1", "az1 knows the parent of east")
    assert tree["az1"].call("api") == "api"


def test_neighbors_stay_while_the_database_is_down(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api, file = tree["api"], tree.database_file("api")
    away = file.rename(file.with_suffix(".away"))
    assert not api.service.loader.load()
    assert not api.service.loader.load()
    assert sum(count for name, count in api.counters().items() if name.startswith("load_failed")) == 2
    assert sorted(api.neighbors()) == ["east", "west"]
    assert api.call("az1") == "api!east!az1"
    away.rename(file)
    api.database.delete("west")
    assert api.service.loader.load()
    assert sorted(api.neighbors()) == ["east"]


def test_neighbors_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "neighbors.json"
    tree = CellTree(SHAPE, cell_options={"api": {"cells": {"cells_config": file}}})
    rows = {
        name: {"transport_url": tree[name].transport_url, "is_parent": False, "driver": "memory"}
        for name in ("east", "west")
    }
    file.write_text(json.dumps(rows))
    with tree:
        api = tree["api"]
        assert api.call("az1") == "api!east!az1"
        for broken in ("{", "[]", '{"east": {}}', '{"east": {"is_parent": 7}}'):
            file.write_text(broken)
            assert not api.service.loader.load()
        file.unlink()
        assert not api.service.loader.load()
        assert api.counters()["load_failed.ConfigurationError"] == 5
        assert api.call("west") == "api!west"
        del rows["west"]
        file.write_text(json.dumps(rows))
        assert api.service.loader.load()
        assert sorted(api.neighbors()) == ["east"]

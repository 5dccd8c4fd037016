"""Wrongly registered neighbors cause an error of their own and affect no other neighbor."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from tests.functional.cell_tree import CellTree

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
ALL = ["api", "api!east", "api!east!az1", "api!west"]


def test_a_child_with_a_wrong_name_is_an_inconsistency(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api = tree["api"]
    api.database.create(Neighbor("orient", tree["east"].transport_url, is_parent=False, driver="memory"))
    assert api.service.loader.load()
    with pytest.raises(exceptions.RoutingInconsistency) as caught:
        api.call("orient", timeout=2)
    assert (caught.value.route, caught.value.target) == ("api!east", "api!orient")
    assert api.call("east") == "api!east"


def test_a_grandchild_with_a_wrong_name_is_an_inconsistency(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    east = tree["east"]
    east.database.create(Neighbor("desk", tree["az1"].transport_url, is_parent=False, driver="memory"))
    assert east.service.loader.load()
    with pytest.raises(exceptions.RoutingInconsistency):
        tree["api"].call("api!east!desk", timeout=2)
    assert tree["api"].call("az1") == "api!east!az1"


def test_neighbor_with_an_unknown_driver_is_an_error_that_names_it(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api = tree["api"]
    api.database.create(Neighbor("south", "pigeon://roof/south", is_parent=False, driver="pigeon"))
    assert api.service.loader.load()
    with pytest.raises(exceptions.PluginError, match="pigeon"):
        api.call("south")
    answers = api.broadcast()
    assert isinstance(answers.pop("api!south").error, exceptions.PluginError)
    assert {way for way, answer in answers.items() if answer.error is None} == set(ALL)
    assert api.neighbors()["south"]["state"] == "unreachable"


def test_a_neighbor_with_the_name_of_the_own_cell_is_skipped(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    api = tree["api"]
    api.database.create(Neighbor("api", api.transport_url, is_parent=False, driver="memory"))
    assert api.service.loader.load()
    assert sorted(api.neighbors()) == ["east", "west"]
    assert api.call("api") == "api"
    assert sorted(api.broadcast()) == ALL
    assert api.service.loader.load()
    assert api.counters()["refused.InvalidNeighbor"] == 1


def test_cells_registered_in_a_circle_end_a_broadcast_at_the_hop_limit(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, options={"cells": {"max_hop_count": 4}})
    tree["az1"].database.create(Neighbor("api", tree["api"].transport_url, is_parent=False, driver="memory"))
    tree["api"].database.create(Neighbor("az1", tree["az1"].transport_url, is_parent=True, driver="memory"))
    for name in ("az1", "api"):
        assert tree[name].service.loader.load()
    answers = tree["api"].broadcast()
    assert set(answers) == {*ALL, "api!east!az1!api"}

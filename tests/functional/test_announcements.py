"""Capabilities and capacities are combined on their way to the top of the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cells.versions import CURRENT
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for
from tests.functional.nova_neighbor import NovaNeighbor

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
CAPABILITIES = {
    "az1": {"cells": {"capabilities": "hypervisor=xenserver;kvm,os=linux"}},
    "west": {"cells": {"capabilities": "hypervisor=kvm;vmware"}},
    "api": {"cells": {"capabilities": "tier=top"}},
}


def capabilities(tree: CellTree, name: str) -> dict[str, list[str]]:
    return tree[name].service.manager.capabilities(CONTEXT)


def capacities(tree: CellTree, name: str) -> dict[str, Any]:
    return tree[name].service.manager.capacities(CONTEXT)


def report(tree: CellTree, name: str, reporter: str, numbers: dict[str, Any]) -> None:
    tree[name].service.manager.report_capacities(CONTEXT, numbers, reporter)


def test_union_of_capabilities_reaches_the_top(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, cell_options=CAPABILITIES)
    expected = {"hypervisor": ["kvm", "vmware", "xenserver"], "os": ["linux"], "tier": ["top"]}
    wait_for(lambda: capabilities(tree, "api") == expected, "api knows all capabilities")
    assert capabilities(tree, "east") == {"hypervisor": ["kvm", "xenserver"], "os": ["linux"]}
    assert capabilities(tree, "west") == {"hypervisor": ["kvm", "vmware"]}


def test_sum_of_capacities_reaches_the_top(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    first = {"ram": {"free": 10, "total": 16}, "disks": 2}
    steps = [
        ("az1", "host1", first, first),
        ("az1", "host2", {"ram": {"free": 1, "total": 4}}, {"ram": {"free": 11, "total": 20}, "disks": 2}),
        ("west", "", {"ram": {"free": 100}, "name": "x", "ok": True}, {"ram": {"free": 111, "total": 20}, "disks": 2}),
        ("east", "host1", {"disks": 0.5}, {"ram": {"free": 111, "total": 20}, "disks": 2.5}),
    ]
    for name, reporter, numbers, expected in steps:
        report(tree, name, reporter, numbers)
        wait_for(lambda: capacities(tree, "api") == expected, "api knows the capacities")  # noqa: B023
    assert capacities(tree, "az1") == {"ram": {"free": 11, "total": 20}, "disks": 2}


def test_a_report_replaces_the_earlier_report_of_its_reporter(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree({"api": {"east": {}}})
    for reporter, numbers, expected in (("host1", 10, 10), ("host2", 1, 11), ("host1", 3, 4)):
        report(tree, "east", reporter, {"ram": numbers})
        wait_for(lambda: capacities(tree, "api") == {"ram": expected}, "api knows")  # noqa: B023


def test_mute_child_is_shown_mute_and_left_out(cell_tree: Callable[..., CellTree]) -> None:
    options = {"api": {"cells": {"mute_child_interval": 1}}, "east": {"cells": {"capabilities": "os=linux"}}}
    tree = cell_tree({"api": {"east": {}}}, cell_options=options)
    with NovaNeighbor(tree, "api", is_parent=False) as nova:
        nova.announce({"os": ["windows"]}, {"ram": 10})
        wait_for(lambda: capabilities(tree, "api") == {"os": ["linux", "windows"]}, "api knows both")
        wait_for(lambda: tree["api"].neighbors()["nova"]["state"] == "up", "nova has answered that it knows no ping")

        def is_nova_alone_mute() -> bool:
            tree["east"].service.announcer.announce()
            states = {name: neighbor["state"] for name, neighbor in tree["api"].neighbors().items()}
            return states == {"east": "up", "nova": "mute"} and capabilities(tree, "api") == {"os": ["linux"]}

        wait_for(is_nova_alone_mute, "nova is mute and left out")
        assert capacities(tree, "api") == {}
        assert tree["api"].neighbors()["nova"]["last_seen_seconds"] >= 1
        nova.announce({"os": ["windows"]}, {})
        wait_for(lambda: "windows" in capabilities(tree, "api")["os"], "nova counts again when it speaks")


def test_neighbors_are_shown_with_their_announcements(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    wait_for(lambda: all(found["version"] for found in tree["east"].neighbors().values()), "both have answered ping")
    parent, child = tree["east"].neighbors()["api"], tree["east"].neighbors()["az1"]
    assert (parent["is_parent"], child["is_parent"]) == (True, False)
    assert parent["state"] == child["state"] == "up"
    assert (parent["version"], child["version"], child["driver"]) == (CURRENT, CURRENT, "memory")
    assert 0 <= child["last_seen_seconds"] < 60


@pytest.mark.parametrize("source", ["west", "az1"])
def test_a_cell_reports_only_about_itself(cell_tree: Callable[..., CellTree], source: str) -> None:
    tree = cell_tree(SHAPE)
    before = tree["api"].counters().get("failed.InvalidArguments", 0)
    tree[source].cast("api", "update_capabilities", cell_name="east", capabilities={"os": ["stolen"]})
    wait_for(lambda: tree["api"].counters().get("failed.InvalidArguments", 0) == before + 1, "api refuses the update")
    assert capabilities(tree, "api") == {}

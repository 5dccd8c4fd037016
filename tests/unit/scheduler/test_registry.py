"""Registry: the scheduler that the options describe, from the installed plug-ins."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.conf import scheduler as options
from cells.neighbors import State
from cells.scheduler import CellFilter, CellWeigher, any_cell, load
from cells.scheduler.filters import capabilities, different_cell, free_capacity, target_cell
from cells.scheduler.registry import FILTERS, WEIGHERS
from cells.scheduler.weighers import free_capacity as free_capacity_weigher
from cells.scheduler.weighers import mute_child, weight_offset
from tests.unit.scheduler.candidates import child

DEFAULTS = {option.name: option.default for option in options.OPTIONS}


def test_default_filters() -> None:
    made: list[CellFilter] = [FILTERS.make(name, name) for name in DEFAULTS["filters"]]
    assert [type(found) for found in made] == [
        target_cell.TargetCell,
        different_cell.DifferentCell,
        capabilities.RequiredCapabilities,
        free_capacity.FreeCapacity,
    ]
    assert [found.name for found in made] == DEFAULTS["filters"]


def test_default_weighers() -> None:
    made: list[CellWeigher] = [WEIGHERS.make(name, name) for name in DEFAULTS["weighers"]]
    assert [type(found) for found in made] == [
        weight_offset.WeightOffset,
        mute_child.MuteChild,
        free_capacity_weigher.FreeCapacity,
    ]
    assert [found.name for found in made] == DEFAULTS["weighers"]


def test_documented_multipliers_match_the_classes() -> None:
    (help_text,) = [option.help for option in options.OPTIONS if option.name == "weight_multipliers"]
    for name in DEFAULTS["weighers"]:
        assert f"``{name}:{WEIGHERS.make(name, name).default_multiplier:.0f}``" in help_text


def test_all_default_filters_and_weighers_together() -> None:
    scheduler = load(DEFAULTS["filters"], DEFAULTS["weighers"], DEFAULTS["weight_multipliers"])
    kvm = {"hypervisor": ["kvm"]}
    candidates = [
        child("api!preferred", capabilities=kvm, weight_offset=100.0, state=State.MUTE),
        child("api!gone", capabilities=kvm, weight_offset=1000.0, state=State.UNREACHABLE),
        child("api!full", capabilities=kvm, capacities={"ram_mb": 1}),
        child("api!large", capabilities=kvm, capacities={"ram_mb": 8}),
        child("api!small", capabilities=kvm, capacities={"ram_mb": 4}),
        child("api!other", capabilities={"hypervisor": ["xen"]}),
        child("api!excluded", capabilities=kvm),
    ]
    ranking = scheduler.rank(
        candidates, any_cell({"hypervisor": "kvm"}, {"ram_mb": 2}, different_from=["api!excluded"])
    )
    assert [candidate.name for candidate in ranking.chosen] == ["large", "small", "preferred", "gone"]
    assert ranking.rejected.keys() == {"api!full", "api!other", "api!excluded"}


def test_a_name_that_comes_twice_counts_once() -> None:
    scheduler = load([], ["weight_offset", "weight_offset", "mute_child"], {})
    mute = child("api!mute", state=State.MUTE, weight_offset=600_000.0)
    up = child("api!up", weight_offset=0.0)
    assert [candidate.name for candidate in scheduler.rank([mute, up], any_cell()).chosen] == ["up", "mute"]


def test_unknown_names() -> None:
    with pytest.raises(exceptions.PluginError, match=r"'x'.*\[cells_scheduler\] filters"):
        load(["x"], [], {})
    with pytest.raises(exceptions.PluginError, match=r"'x'.*\[cells_scheduler\] weighers"):
        load([], ["x"], {})

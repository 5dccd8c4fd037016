"""CellRequirements: checks of the values, and the way through JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.path import CellPath
from cells.scheduler import CellRequirements, any_cell
from cells.services.requirements import is_version_range
from tests.cases import each

WORDS = st.text("abcxyz019._-", min_size=1, max_size=5)
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(lambda names: str(CellPath(names)))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "requires": st.dictionaries(WORDS, WORDS | st.lists(WORDS, min_size=1, max_size=2), max_size=2),
        "size": st.dictionaries(WORDS, st.integers(0) | st.floats(0, 1e300), max_size=2),
        "target": PATHS,
        "different_from": st.lists(PATHS, max_size=2),
        "hints": st.dictionaries(st.text(max_size=3), JSON, max_size=2),
    },
)


def test_nothing_is_required() -> None:
    assert any_cell() == CellRequirements()
    assert any_cell().to_dict() == {}
    assert CellRequirements.from_dict({}) == CellRequirements()


def test_everything_is_required() -> None:
    required = any_cell(
        requires={"hypervisor": "kvm", "os": ["linux", "bsd"], "version": " >=2.0,<3 "},
        size={"ram_mb": 2048, "load": 0.5},
        target="api!east",
        different_from=["api!east!az1"],
        hints={"rack": [1, None]},
    )
    assert required.requires == {"hypervisor": ("kvm",), "os": ("linux", "bsd"), "version": (">=2.0,<3",)}
    assert required.size == {"ram_mb": 2048, "load": 0.5}
    assert required.target == CellPath(["api", "east"])
    assert required.different_from == (CellPath(["api", "east", "az1"]),)
    assert required.to_dict() == {
        "requires": {"hypervisor": ["kvm"], "os": ["linux", "bsd"], "version": [">=2.0,<3"]},
        "size": {"ram_mb": 2048, "load": 0.5},
        "target": "api!east",
        "different_from": ["api!east!az1"],
        "hints": {"rack": [1, None]},
    }


@given(ARGUMENTS, st.lists(WORDS, max_size=2))
def test_way_through_json(arguments: dict[str, Any], walked: list[str]) -> None:
    required = any_cell(**arguments)
    for name in walked:
        required = required.passed_on_by(name)
    text = json.dumps(required.to_dict(), allow_nan=False)
    assert CellRequirements.from_dict(json.loads(text)) == required
    assert required.walked == tuple(walked)


def test_forwarding_adds_only_the_name_of_the_cell() -> None:
    required = any_cell(target="az1")
    assert required.passed_on_by("api").passed_on_by("east").to_dict() == {"target": "az1", "walked": ["api", "east"]}
    assert required.walked == ()


def test_later_changes_of_the_arguments_have_no_effect() -> None:
    size = {"ram_mb": 1.0}
    required = any_cell(size=size)
    size["ram_mb"] = 2.0
    assert required.size == {"ram_mb": 1.0}


@each(
    ("arguments", "named"),
    [
        ({"requires": ["kvm"]}, "'requires'"),
        *(({"requires": {name: "kvm"}}, "capabilities") for name in ("", 1)),
        *(({"requires": {"hypervisor": wrong}}, "hypervisor") for wrong in ("", "  ", [])),
        *(({"requires": {"gpus": wrong}}, "gpus") for wrong in ([2], 2)),
        *(({"requires": {"version": wrong}}, "version") for wrong in (">=two", "=2.0", ">=2.0,3", "!", ["2.0", "<"])),
        ({"size": 3}, "'size'"),
        *(({"size": {"ram_mb": wrong}}, "ram_mb") for wrong in ("2048", True, -1, math.nan, math.inf, 10**400)),
        *(({"target": wrong}, "'target'") for wrong in ("", ["api"], "api!!east")),
        *(({"different_from": wrong}, "'different_from'") for wrong in ("api!east", ["api!"], 7)),
        *(({"hints": wrong}, "'hints'") for wrong in ("x", {"x": object()}, {"x": math.nan}, {1: "x"})),
    ],
)
def test_an_invalid_requirement_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=named):
        any_cell(**arguments)
    with pytest.raises(exceptions.InvalidArguments, match=named):
        CellRequirements.from_dict(arguments)


@each("data", [None, [], "x", 7])
def test_no_object(data: object) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        CellRequirements.from_dict(data)


@each("walked", ["api", ["api!east"], [7], {"api": 1}, 7])
def test_walked_is_a_list_of_names(walked: object) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="'walked'"):
        CellRequirements.from_dict({"walked": walked})


def test_an_unknown_requirement_is_refused() -> None:
    with pytest.raises(exceptions.InvalidArguments, match="'affinity'"):
        CellRequirements.from_dict({"requires": {}, "affinity": "api!east"})


def test_version_ranges_are_distinguished_from_values() -> None:
    assert all(is_version_range(text) for text in (">=2", "<3", "==1.0", "!=1", "=1"))
    assert not any(is_version_range(text) for text in ("", "kvm", "2.0", "a>=2"))

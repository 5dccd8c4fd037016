"""What may be required of a cell, and that it survives the way through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells import exceptions
from cells.path import CellPath
from cells.scheduler import CellRequirements, any_cell
from cells.services.requirements import is_version_range
from tests.cases import each

QUICK = settings(max_examples=50, deadline=None)
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


@QUICK
@given(ARGUMENTS, st.lists(WORDS, max_size=2))
def test_way_through_json(arguments: dict[str, Any], walked: list[str]) -> None:
    required = any_cell(**arguments)
    for name in walked:
        required = required.passed_on_by(name)
    text = json.dumps(required.to_dict(), allow_nan=False)
    assert CellRequirements.from_dict(json.loads(text)) == required
    assert required.walked == tuple(walked)


def test_who_passes_it_on_changes_nothing_else() -> None:
    required = any_cell(target="az1")
    assert required.passed_on_by("api").passed_on_by("east").to_dict() == {"target": "az1", "walked": ["api", "east"]}
    assert required.walked == ()


def test_what_is_changed_later_changes_nothing() -> None:
    size = {"ram_mb": 1.0}
    required = any_cell(size=size)
    size["ram_mb"] = 2.0
    assert required.size == {"ram_mb": 1.0}


@each(
    ("arguments", "said"),
    [
        ({"requires": ["kvm"]}, "'requires' of the required cell must be an object, not list"),
        ({"requires": {"": "kvm"}}, "names of required capabilities"),
        ({"requires": {1: "kvm"}}, "names of required capabilities"),
        ({"requires": {"hypervisor": ""}}, "required hypervisor must be a text or a list of texts"),
        ({"requires": {"hypervisor": "  "}}, "required hypervisor must be a text or a list of texts"),
        ({"requires": {"hypervisor": []}}, "required hypervisor must be a text or a list of texts"),
        ({"requires": {"gpus": [2]}}, "required gpus must be a text or a list of texts"),
        ({"requires": {"gpus": 2}}, "'gpus' of the required cell must be a list"),
        ({"requires": {"version": ">=two"}}, r"required version must be conditions on a version like .*'>=two'"),
        ({"requires": {"version": "=2.0"}}, "conditions on a version"),
        ({"requires": {"version": ">=2.0,3"}}, "conditions on a version"),
        ({"requires": {"version": "!"}}, "conditions on a version"),
        ({"requires": {"version": ["2.0", "<"]}}, "conditions on a version"),
        ({"size": 3}, "'size' of the required cell must be an object"),
        ({"size": {"ram_mb": "2048"}}, "size of ram_mb must be a number from 0"),
        ({"size": {"ram_mb": True}}, "size of ram_mb must be a number from 0"),
        ({"size": {"ram_mb": -1}}, "size of ram_mb must be a number from 0"),
        ({"size": {"ram_mb": float("nan")}}, "size of ram_mb must be a number from 0"),
        ({"size": {"ram_mb": float("inf")}}, "size of ram_mb must be a number from 0"),
        ({"size": {"ram_mb": 10**400}}, "size of ram_mb must be a number from 0"),
        ({"target": ""}, "'target' of the required cell"),
        ({"target": ["api"]}, "'target' of the required cell"),
        ({"target": "api!!east"}, "'target' of the required cell"),
        ({"different_from": "api!east"}, "'different_from' of the required cell must be a list, not str"),
        ({"different_from": ["api!"]}, "'different_from' of the required cell"),
        ({"different_from": 7}, "'different_from' of the required cell must be a list, not int"),
        ({"hints": "x"}, "'hints' of the required cell must be an object"),
        ({"hints": {"x": object()}}, "'hints' cannot be written as JSON"),
        ({"hints": {"x": float("nan")}}, "'hints' cannot be written as JSON"),
        ({"hints": {1: "x"}}, "names of 'hints' must be texts"),
    ],
)
def test_what_cannot_be_read_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=said):
        any_cell(**arguments)
    with pytest.raises(exceptions.InvalidArguments, match=said):
        CellRequirements.from_dict(arguments)


@each("data", [None, [], "x", 7])
def test_no_object(data: object) -> None:
    with pytest.raises(exceptions.MalformedMessage, match="must be an object"):
        CellRequirements.from_dict(data)


@each("walked", ["api", ["api!east"], [7], {"api": 1}, 7])
def test_walked_is_a_list_of_names(walked: object) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="'walked' of the required cell"):
        CellRequirements.from_dict({"walked": walked})


def test_an_unknown_requirement_is_not_passed_over() -> None:
    with pytest.raises(exceptions.InvalidArguments, match="does not know what it means to require 'affinity'"):
        CellRequirements.from_dict({"requires": {}, "affinity": "api!east"})


def test_version_ranges_are_told_from_values() -> None:
    assert all(is_version_range(text) for text in (">=2", "<3", "==1.0", "!=1", "=1"))
    assert not any(is_version_range(text) for text in ("", "kvm", "2.0", "a>=2"))

"""Parsing, union and sum of capabilities and capacities."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.neighbors.capabilities import (
    BOUNDS,
    MAX_NUMBER,
    bounded_capabilities,
    bounded_capacities,
    parse_capabilities,
    total,
    union,
)
from tests.cases import each

CAPABILITIES = st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=3), max_size=3), max_size=3)
CAPACITIES = st.recursive(
    st.dictionaries(st.sampled_from("ab"), st.integers(min_value=-1), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=4,
)


def test_parse() -> None:
    assert parse_capabilities(["hypervisor=xenserver;kvm", "os = linux ; windows;linux;", "a=b=c"]) == {
        "hypervisor": ["kvm", "xenserver"],
        "os": ["linux", "windows"],
        "a": ["b=c"],
    }
    assert parse_capabilities([]) == {}


@each("item", ["", "os", "=linux", "os=", " = ", "os= "])
def test_parse_refuses_an_item_that_is_no_pair(item: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="capabilities"):
        parse_capabilities(["os=linux", item])


def test_union() -> None:
    assert union([{"os": ["windows", "linux"]}, {}, {"os": ["linux"], "hypervisor": ("kvm",)}]) == {
        "hypervisor": ["kvm"],
        "os": ["linux", "windows"],
    }
    assert union([]) == {}


def test_union_takes_values_of_any_type() -> None:
    assert union([{"cores": [4, 8]}, {"cores": ["4", None]}]) == {"cores": ["4", "8", "None"]}


@given(st.lists(CAPABILITIES, max_size=3))
def test_union_does_not_depend_on_order_and_is_stable(many: list[dict[str, list[str]]]) -> None:
    merged = union(many)
    assert merged == union(reversed(many)) == union([merged])
    assert list(merged) == sorted(merged)


def test_total() -> None:
    assert total(
        [
            {"ram_free": {"total_mb": 100, "units_by_mb": {"512": 3}}, "disk": 1},
            {"ram_free": {"total_mb": 50, "units_by_mb": {"512": 1, "1024": 2}}, "disk": 0.5},
            {},
        ]
    ) == {"ram_free": {"total_mb": 150, "units_by_mb": {"512": 4, "1024": 2}}, "disk": 1.5}
    assert total([]) == {}


def test_total_leaves_out_values_that_are_no_numbers() -> None:
    assert total([{"a": "5", "b": None, "c": [1], "d": True, "e": {"f": "x"}}]) == {"e": {}}


def test_total_does_not_change_its_arguments() -> None:
    one: dict[str, Any] = {"ram": {"mb": 1}}
    result = total([one, {"ram": {"mb": 2}}])
    result["ram"]["mb"] = 99
    assert one == {"ram": {"mb": 1}}
    alone = total([one])
    alone["ram"]["mb"] = 99
    assert one == {"ram": {"mb": 1}}


@given(st.lists(CAPACITIES, max_size=3))
def test_total_does_not_depend_on_order_and_is_stable(many: list[dict[str, Any]]) -> None:
    added = total(many)
    assert added == total(reversed(many)) == total([added])


def test_total_that_is_too_large_is_the_largest_number() -> None:
    added = total([{"ram": MAX_NUMBER}] * 3)
    assert added == {"ram": MAX_NUMBER} == total([added])


def test_total_of_numbers_that_no_float_holds() -> None:
    """An error would keep this cell from sending its parents anything."""
    total([{"ram": 10**400}, {"ram": 1.5}])


def test_total_of_deeply_nested_numbers() -> None:
    nested: dict[str, Any] = {"x": 1}
    for _ in range(2000):
        nested = {"x": nested}
    total([nested, nested])


@each("text", ['{"ram": NaN}', '{"ram": Infinity}', '{"ram": 1e999}', '{"a": {"ram": -Infinity}}'])
def test_total_can_be_sent(text: str) -> None:
    """The parents would refuse a total without a JSON form, with all other numbers."""
    json.dumps(total([json.loads(text), {"disk": 1}]), allow_nan=False)


@each("number", [-1, -(2**63), 2**63 + 1, 10**400, True, float("nan"), float("inf"), float("-inf")])
def test_capacity_that_no_cell_can_have_changes_no_total(number: float) -> None:
    """(case G5)."""
    assert total([{"ram": number}, {"ram": 7}]) == {"ram": 7}
    assert bounded_capacities({"ram": number, "disk": 1}) == ({"disk": 1}, 1)


def test_child_that_reports_another_form_does_not_hide_its_siblings() -> None:
    """(case G5)."""
    honest = [{"ram": 1, "disk": {"mb": 2}}, {"ram": 3, "disk": {"mb": 4}}]
    assert total([*honest, {"ram": {"x": 9}, "disk": 9}]) == {"ram": 4, "disk": {"mb": 6}}


HUGE_CAPABILITIES = {f"n{number}": [f"{value:0200}" for value in range(100)] for number in range(200)}
HUGE_CAPACITIES = {f"n{number:0100}": {f"{key:0100}": 1 for key in range(100)} for number in range(200)}


def test_excess_of_one_child_is_left_out() -> None:
    """(case G4)."""
    for claimed, bound in ((HUGE_CAPABILITIES, bounded_capabilities), (HUGE_CAPACITIES, bounded_capacities)):
        kept, left_out = bound(claimed)  # type: ignore[operator]  # two functions of one form
        assert len(json.dumps(kept)) <= BOUNDS.size_bytes
        assert left_out > 10_000
        assert bound(kept) == (kept, 0)  # type: ignore[operator]
    many_values = {"os": [str(number) for number in range(BOUNDS.items + 5)]}
    assert bounded_capabilities(many_values)[1] == 6
    assert bounded_capabilities({"x" * 256: ["a"], "os": ["y" * 256, ["z"], "linux"]}) == ({"os": ["linux"]}, 4)


def test_large_child_crowds_no_sibling_out_of_the_report_of_their_parent() -> None:
    """(case G4)."""
    honest = [{"os": [f"linux-{child}"], "hypervisor": ["kvm"]} for child in range(20)]
    merged = union([HUGE_CAPABILITIES, *honest, {**HUGE_CAPABILITIES, "more": ["x"]}])
    assert (merged["os"], merged["hypervisor"]) == (sorted(f"linux-{child}" for child in range(20)), ["kvm"])
    assert len(json.dumps(merged)) <= BOUNDS.size_bytes
    assert total([HUGE_CAPACITIES, {"ram": {"mb": 5}}, {"ram": {"mb": 6}}])["ram"] == {"mb": 11}

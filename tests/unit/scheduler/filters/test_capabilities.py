"""Filter "capabilities": required values and versions."""

from __future__ import annotations

from typing import Any

from cells.scheduler import any_cell
from cells.scheduler.filters.capabilities import RequiredCapabilities
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child, own, passes

FILTER = RequiredCapabilities("capabilities")
EAST = child(
    "api!east",
    capabilities={"hypervisor": ["kvm", "xen"], "version": ["1.9", "2.5", "3.0.1"], "odd": ["2.x", "unknown"], "n": []},
)


@each(
    ("requires", "is_met"),
    [
        *(({"hypervisor": wanted}, True) for wanted in ("kvm", ["vmware", "xen"])),
        *(({"hypervisor": wanted}, False) for wanted in ("vmware", "kv")),
        ({"hypervisor": "kvm", "version": "2.5"}, True),
        ({"hypervisor": "kvm", "version": "2.6"}, False),
        *(
            ({"version": wanted}, True)
            for wanted in (">=2.0,<3", "<=1.9", ">3", "==2.5.0", "!=1.9", ["4.0", ">2, <2.6"])
        ),
        *(({"version": wanted}, False) for wanted in ("<1.9", ">=3.0.2", [">4", "<1"])),
        # One version must fulfil both conditions; 2.5 and 1.9 together do not count.
        ({"version": ">=2.0,<2.5"}, False),
        # A plain value is compared as a text.
        ({"version": "2.5.0"}, False),
        *(({"odd": ">=0"}, False), ({"odd": "2.x"}, True), ({"n": "1"}, False), ({"missing": "1"}, False)),
    ],
)
def test_required_capabilities(requires: dict[str, Any], is_met: bool) -> None:
    assert passes(FILTER, EAST, any_cell(requires)) is is_met


def test_nothing_is_required() -> None:
    assert passes(FILTER, own("api"), ANY)


def test_the_reason_names_the_missing_capability() -> None:
    assert FILTER.reject(own("api"), any_cell({"hypervisor": ["kvm", "xen"]})) == (
        "it announces no hypervisor, not kvm or xen"
    )
    assert FILTER.reject(EAST, any_cell({"hypervisor": "lxc"})) == "it announces hypervisor kvm and xen, not lxc"


def test_values_that_are_no_texts_are_compared_as_such() -> None:
    odd: Any = {"version": [2, None]}
    assert passes(FILTER, child("api!east", capabilities=odd), any_cell({"version": ">=2"}))

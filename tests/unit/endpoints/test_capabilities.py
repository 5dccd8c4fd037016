"""Capabilities: parents ask for them, children announce them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from cells import exceptions
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory


def test_an_announcement_is_answered_with_the_capabilities_of_the_branch() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"], capabilities={"os": ["linux"]}) as cell:
        cell.table.record("az1", capabilities={"os": ["windows"]})
        cell.call("announce_capabilities", "api!east")
        messages = [cell.next_text("api"), cell.next_text("api")]
    (update,) = [message for message in messages if message["method_name"] == "update_capabilities"]
    assert update["method_kwargs"] == {"cell_name": "east", "capabilities": {"os": ["linux", "windows"]}}
    assert (update["target_cell"], update["direction"], update["fanout"]) == ("east!api", "up", True)
    # The announcing parent may be new, so the cell pings it.
    (ping,) = [message for message in messages if message["method_name"] == "ping"]
    assert (ping["target_cell"], ping["need_response"]) == ("east!api", True)


def test_an_announcement_goes_to_all_parents() -> None:
    with CellInMemory("east", parents=["one", "two"]) as cell:
        cell.call("announce_capabilities", "one!east")
        assert cell.next_methods("one", 2) == ["ping", "update_capabilities"]
        assert cell.next_methods("two", 1) == ["update_capabilities"]


def test_an_update_is_recorded_and_passed_on() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"], capabilities={"os": ["linux"]}) as cell:
        cell.call("update_capabilities", "az1!east", cell_name="az1", capabilities={"os": ["windows"], "gpu": ["a"]})
        assert list(cell.table.living_children()) == ["az1"]
        assert cell.cell.resources.capabilities() == {"gpu": ["a"], "os": ["linux", "windows"]}
        assert cell.next_text("api")["method_kwargs"]["capabilities"] == {"gpu": ["a"], "os": ["linux", "windows"]}
        assert cell.next_methods("az1", 1) == ["ping"]


def test_unchanged_capabilities_are_not_forwarded() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"], capabilities={"os": ["linux"]}) as cell:
        cell.call("update_capabilities", "az1!east", cell_name="az1", capabilities={"os": ["linux"]})
        cell.cell.send_capacities()
        assert cell.next_text("api")["method_name"] == "update_capacities"


@each("wrong", [None, 5, "os", ["os"], {"os": "linux"}, {"os": None}, {"os": {"linux": 1}}])
def test_an_update_of_a_wrong_form_is_refused(wrong: Any) -> None:
    with CellInMemory("east", children=["az1"]) as cell:
        with pytest.raises(exceptions.InvalidArguments):
            cell.call("update_capabilities", "az1!east", cell_name="az1", capabilities=wrong)
        assert cell.table.living_children() == {}


@each("name", ["az2", "east", "", None, 5, ["az1"]])
def test_an_update_about_another_cell_is_refused(name: Any) -> None:
    with CellInMemory("east", children=["az1", "az2"]) as cell:
        with pytest.raises(exceptions.InvalidArguments):
            cell.call("update_capabilities", "az1!east", cell_name=name, capabilities={})
        assert cell.table.living_children() == {}


@pytest.mark.parametrize("sender", ["stranger", "api"])
def test_an_update_from_a_cell_that_is_no_child_is_refused(sender: str) -> None:
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        with pytest.raises(exceptions.CellNotFound):
            cell.call("update_capabilities", f"{sender}!east", cell_name=sender, capabilities={"os": ["x"]})
        assert cell.cell.resources.capabilities() == {}


def test_an_announcement_of_the_own_cell_is_no_crash() -> None:
    """An operator may send one: a message from this cell to itself has no sender."""
    with CellInMemory("east", parents=["api"]) as cell, contextlib.suppress(exceptions.CellsError):
        cell.call("announce_capabilities", "east")

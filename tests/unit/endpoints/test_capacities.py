"""Capacities: parents ask for them, children report them, and the cell adds them up."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory


def test_an_announcement_is_answered_with_the_sum() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        cell.table.record("az1", capacities={"ram": {"mb": 10}})
        cell.cell.report_capacities("compute", {"ram": {"mb": 5}})
        for _ in ("the report", "the announcement"):
            update = cell.next_text("api")
            cell.call("announce_capacities", "api!east")
            assert update["method_name"] == "update_capacities"
            assert update["method_kwargs"] == {"cell_name": "east", "capacities": {"ram": {"mb": 15}}}
            assert (update["target_cell"], update["direction"], update["fanout"]) == ("east!api", "up", True)


def test_an_update_is_recorded_and_passed_on() -> None:
    with CellInMemory("east", parents=["api"], children=["az1", "az2"]) as cell:
        cell.call("update_capacities", "az1!east", cell_name="az1", capacities={"disk": 1})
        assert cell.next_text("api")["method_kwargs"]["capacities"] == {"disk": 1}
        cell.call("update_capacities", "az2!east", cell_name="az2", capacities={"disk": 2})
        assert cell.next_text("api")["method_kwargs"]["capacities"] == {"disk": 3}
        assert cell.cell.resources.capacities() == {"disk": 3}


@each("wrong", [None, 5, "ram", ["ram"]])
def test_an_update_of_a_wrong_form_is_refused(wrong: Any) -> None:
    with CellInMemory("east", children=["az1"]) as cell:
        with pytest.raises(exceptions.InvalidArguments):
            cell.call("update_capacities", "az1!east", cell_name="az1", capacities=wrong)
        assert cell.table.living_children() == {}


def test_an_update_about_another_cell_is_refused() -> None:
    with CellInMemory("east", children=["az1", "az2"]) as cell, pytest.raises(exceptions.InvalidArguments):
        cell.call("update_capacities", "az1!east", cell_name="az2", capacities={})


def test_an_update_from_a_cell_that_is_no_child_is_refused() -> None:
    with CellInMemory("east", parents=["api"]) as cell, pytest.raises(exceptions.CellNotFound):
        cell.call("update_capacities", "api!east", cell_name="api", capacities={"disk": 1})


def test_an_absurd_report_of_a_child_does_not_affect_the_others() -> None:
    with CellInMemory("east", parents=["api"], children=["az1", "az2"]) as cell:
        cell.table.record("az1", capacities={"disk": 10**400})
        cell.call("update_capacities", "az2!east", cell_name="az2", capacities={"disk": 1.5})
        assert "disk" in cell.cell.resources.capacities()

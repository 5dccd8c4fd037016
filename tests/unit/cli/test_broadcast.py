"""``cells broadcast``."""

from __future__ import annotations

from cells import exceptions
from cells.rpcapi import CellAnswer
from tests.unit.cli.conftest import Cells, Manager


def test_a_row_for_each_cell(cells: Cells, manager: Manager) -> None:
    manager.answers = [[CellAnswer("api!east", {"a": [1]}), CellAnswer("api", "x")]] * 2
    assert cells.succeed("broadcast", "get", "n:=1", "--direction", "up", "--timeout", "4", "-f", "json").value == [
        {"cell": "api", "value": "x", "error": None},
        {"cell": "api!east", "value": {"a": [1]}, "error": None},
    ]
    assert manager.asked == [("broadcast_call", "get", {"n": 1}, "up", 4.0)]
    assert '| {"a": [1]} |' in cells.succeed("broadcast", "get").out
    assert manager.asked[1] == ("broadcast_call", "get", {}, "down", None)


def test_failed_cells_are_named_and_answers_printed(cells: Cells, manager: Manager) -> None:
    manager.answers = [
        [
            CellAnswer("api!west", error=exceptions.CellTimeout("silent")),
            CellAnswer("api", 1),
            CellAnswer("api!east", error=exceptions.RemoteError("broken\nup")),
        ]
    ]
    result = cells("broadcast", "get", "-f", "json")
    assert result.status == 1
    assert result.err == "cells: api!east failed: RemoteError: broken up\ncells: api!west failed: CellTimeout: silent\n"
    assert [(row["cell"], row["value"], row["error"]) for row in result.value] == [
        ("api", 1, None),
        ("api!east", None, "RemoteError: broken up"),
        ("api!west", None, "CellTimeout: silent"),
    ]


def test_without_answers_nothing_is_printed(cells: Cells, manager: Manager) -> None:
    assert cells.succeed("broadcast", "wake", "n:=1", "--no-answer").out == ""
    assert manager.asked == [("broadcast_cast", "wake", {"n": 1}, "down")]


def test_a_wrong_command_line(cells: Cells, manager: Manager) -> None:
    assert "left" in cells.fail("broadcast", "get", "--direction", "left", status=2)
    assert "METHOD" in cells.fail("broadcast", status=2)
    assert manager.asked == []

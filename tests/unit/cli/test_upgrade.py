"""``cells upgrade matrix``."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from cells import exceptions
from cells.rpcapi import CellAnswer
from tests.unit.cli.conftest import Cells, Manager


def link(neighbor: str, **values: Any) -> dict[str, Any]:
    versions = {"spoken": "1.3", "announced": "1.3", "global_cap": "auto", "neighbor_cap": None}
    known = {"is_parent": False, "state": "up", "can_be_raised": False, "reason": ""}
    return {"neighbor": neighbor, **versions, **known, **values}


def tells(cell: str, *links: dict[str, Any], reads: str = "1.3") -> CellAnswer:
    return CellAnswer(cell, {"cell": cell, "reads": reads, "links": list(links)})


CAPPED = {"spoken": "1.1", "neighbor_cap": "1.1", "can_be_raised": True, "reason": "the cap of neighbor az1, 1.1"}


@pytest.fixture(autouse=True)
def east(manager: Manager) -> None:
    """The manager's cell is a child."""
    manager.described = {"path": "api!east"}


def rows(cells: Cells, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cells.succeed("upgrade", "matrix", "-f", "json", *words).value
    return found


def test_a_row_for_each_cell_and_neighbor_parents_first(cells: Cells, manager: Manager) -> None:
    manager.answers = [
        [
            tells("east!az1", link("east", is_parent=True)),
            tells("east", link("az1", **CAPPED), link("api", is_parent=True)),
        ]
    ]
    found = rows(cells, "--timeout", "4")
    assert [(row["cell"], row["neighbor"], row["type"]) for row in found] == [
        ("api!east", "api", "parent"),
        ("api!east", "az1", "child"),
        ("api!east!az1", "east", "parent"),
    ]
    expected = {"cell": "api!east", "reads": "1.3", "type": "child", **link("az1", **CAPPED)}
    del expected["is_parent"]
    assert found[1] == expected
    assert manager.asked == [("broadcast_call", "links", {}, "down", 4.0)]


def test_table_is_readable_and_csv_exact(cells: Cells, manager: Manager) -> None:
    manager.answers = [[tells("east", link("az1", **CAPPED), link("az2"))]] * 2
    lines = cells.succeed("upgrade", "matrix").out.splitlines()
    words = [[word.strip() for word in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert [dict(zip(words[0], row, strict=True))["can_be_raised"] for row in words[1:]] == ["yes", "no"]
    assert dict(zip(words[0], words[2], strict=True))["neighbor_cap"] == ""
    assert "None" not in "".join(lines)
    assert lines[-1].startswith("+")  # no text below the table
    read = list(csv.DictReader(io.StringIO(cells.succeed("upgrade", "matrix", "-f", "csv").out)))
    assert [(row["neighbor"], row["can_be_raised"], row["neighbor_cap"]) for row in read] == [
        ("az1", "True", "1.1"),
        ("az2", "False", ""),
    ]


@pytest.mark.parametrize(
    ("error", "reads", "reason"),
    [
        (exceptions.UnknownMethod("no links here", method="links"), "1.1", "release"),
        (exceptions.RemoteError("no attribute", exc_type="AttributeError", value="links"), "1.0", "Nova's"),
    ],
)
def test_an_old_cell_is_no_failure(cells: Cells, manager: Manager, error: Exception, reads: str, reason: str) -> None:
    manager.answers = [[CellAnswer("east!az1", error=error), tells("east", link("az1", announced="1.1"))]]
    old = rows(cells)[-1]
    assert (old["cell"], old["reads"], old["neighbor"], old["can_be_raised"]) == ("api!east!az1", reads, None, None)
    assert reason in old["reason"]


@pytest.mark.parametrize(
    "error",
    [
        exceptions.CellTimeout("az1 is\nsilent"),
        exceptions.NeighborUnreachable("az1 is\nsilent"),
        exceptions.RemoteError("az1 is\nsilent", exc_type="KeyError"),
    ],
)
def test_a_silent_cell_has_a_row_and_the_status_is_1(cells: Cells, manager: Manager, error: Exception) -> None:
    manager.answers = [[CellAnswer("east!az1", error=error), tells("east", link("az1", announced="1.1"))]]
    result = cells("upgrade", "matrix", "-f", "json")
    why = f"{type(error).__name__}: az1 is silent"
    assert result.status == 1
    assert "api!east!az1" in result.err
    assert why in result.err
    assert [(row["cell"], row["reads"], row["reason"]) for row in result.value] == [
        ("api!east", "1.3", ""),
        ("api!east!az1", "1.1", why),
    ]


def test_cell_on_two_routes_has_its_rows_once(cells: Cells, manager: Manager) -> None:
    twice = CellAnswer("east!az2!az1", error=exceptions.DuplicateMessageError("it has come by another way"))
    manager.answers = [[tells("east", link("az1")), tells("east!az1"), twice]]
    assert [row["cell"] for row in rows(cells)] == ["api!east", "api!east!az1"]


def test_a_cell_without_neighbors(cells: Cells, manager: Manager) -> None:
    manager.answers = [[tells("east")]]
    assert [(row["cell"], row["reads"], row["reason"]) for row in rows(cells)] == [
        ("api!east", "1.3", "it has no neighbors")
    ]


@pytest.mark.parametrize("value", [None, "links", {"links": "none"}, {"links": [3]}, {}])
def test_unknown_answers_of_a_later_release_are_no_error(cells: Cells, manager: Manager, value: Any) -> None:
    manager.answers = [[CellAnswer("east", value)]]
    assert [row["cell"] for row in rows(cells)] == ["api!east"]


def test_an_answer_that_cannot_be_read(cells: Cells, manager: Manager) -> None:
    manager.answers = [[tells("east"), CellAnswer("", error=exceptions.MalformedMessage("no JSON"))]]
    result = cells("upgrade", "matrix", "-f", "json")
    assert (result.status, [row["cell"] for row in result.value]) == (1, ["api!east", "api!east!?"])
    assert "no JSON" in result.err


def test_a_wrong_command_line(cells: Cells, manager: Manager) -> None:
    assert "'soon'" in cells.fail("upgrade", "matrix", "--timeout", "soon", status=2)
    assert "upgrade matrix" in cells.fail("upgrade", "matrices", status=2)
    assert manager.asked == []

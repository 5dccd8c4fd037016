"""``cells trace --explain``."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.cli.route import COLUMNS, Here, explain
from cells.path import CellPath
from tests.unit.cli.conftest import Cells, Manager

CAPS = {"global_cap": "auto", "neighbor_cap": None, "reason": ""}
LINKS = [
    {"neighbor": "api", "is_parent": True, "spoken": "1.4", **CAPS},
    {"neighbor": "az1", "is_parent": False, "spoken": "1.0", **CAPS, "reason": "az1 reads no more than 1.0"},
]
NEIGHBORS: list[dict[str, Any]] = [
    {"name": "api", "driver": "rpc", "state": "up", "since_seconds": 60.0, "problem": None},
    {"name": "az1", "driver": "direct", "state": "unreachable", "since_seconds": 7.4, "problem": "It is down."},
]
HERE = Here({"path": "top!api!east", "subtree": {"az1": {"rack1": {}}}}, LINKS, NEIGHBORS)


def hops(walk: str) -> list[dict[str, Any]]:
    return [
        {**dict(zip(COLUMNS, hop.row, strict=True)), "is_problem": hop.is_problem}
        for hop in explain(CellPath.parse(walk), HERE)
    ]


def test_the_way_up_and_down_again() -> None:
    found = hops("east!api!top!west!az9")
    assert [(hop["from"], hop["to"], hop["direction"]) for hop in found] == [
        *(("east", "api", "up"), ("api", "top", "up")),
        *(("top", "west", "down"), ("west", "az9", "down")),
    ]
    assert [found[0][column] for column in ("driver", "state", "spoken", "note")] == ["rpc", "up", "1.4", ""]
    assert "known in api" in found[1]["note"]
    assert "not known here" in found[2]["note"]
    assert not any(hop["is_problem"] for hop in found)


def test_a_broken_link_with_its_cap() -> None:
    first, second = hops("east!az1!rack1")
    assert (first["driver"], first["state"], first["is_problem"]) == ("direct", "unreachable", True)
    for text in ("unreachable for 7 s", "It is down", "no more than 1.0", "no trace"):
        assert text in first["note"]
    assert (second["direction"], second["is_problem"]) == ("down", False)


def test_a_cell_that_no_child_has_announced() -> None:
    *_, last = hops("east!az1!rack2")
    assert last["is_problem"]
    assert "CellNotFound" in last["note"]


def test_this_cell() -> None:
    assert hops("east") == []


@pytest.fixture
def east(cells: Cells, manager: Manager) -> Manager:
    cells.configure(name="east")
    manager.described = {"name": "east"}
    manager.seen = NEIGHBORS
    return manager


def test_nothing_is_sent_to_another_cell(cells: Cells, east: Manager) -> None:
    east.answers = ["east!api!top", HERE.description, {"links": LINKS}]
    found = cells.succeed("trace", "top", "--explain", "-f", "json").value
    assert [hop["to"] for hop in found] == ["api", "top"]
    assert {question[1] for question in east.asked if question[0] == "call"} == {"east"}


def test_a_problem_of_the_route_is_the_exit_status(cells: Cells, east: Manager) -> None:
    east.answers = ["east!az1", HERE.description, {"links": LINKS}]
    assert "It is down" in cells.degraded("trace", "az1", "--explain", "-f", "json").err
    east.answers = [exceptions.CellNotFound("No cell 'az9' is known in east.")]
    assert "CellNotFound" in cells.fail("trace", "az9", "--explain")

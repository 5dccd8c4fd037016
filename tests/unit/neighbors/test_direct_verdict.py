"""The problem of a direct link, for an operator."""

from __future__ import annotations

from typing import Any

import pytest

from cells.neighbors import State
from cells.neighbors.direct_verdict import finding_of, problem_of
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.problem import Problem

DIALS_IN = Neighbor("edge", "", is_parent=False, driver="direct", certificate_path="api!edge")
DIALED = Neighbor(
    "edge", "", is_parent=False, driver="direct", certificate_path="api!edge", addresses="edge.example:5680"
)
UNKNOWN = Neighbor("edge", "", is_parent=False, driver="direct")


def link(problem: str = "") -> dict[str, Any]:
    return {"problem": problem, "managers": [], "warnings": []}


def named(problem: Problem | None) -> tuple[str, str]:
    assert problem is not None
    return problem.name, problem.text


@pytest.mark.parametrize("state", [State.UNREACHABLE, State.RECONNECTING])
@pytest.mark.parametrize(
    ("row", "problem", "name", "remedy"),
    [
        (UNKNOWN, "", "certificate_unusable", "cells neighbor set edge --certificate"),
        (DIALED, "10.0.0.1:5680: refused", "link_down", "10.0.0.1:5680: refused"),
        (DIALED, "", "link_down", "edge.example:5680"),
        (DIALS_IN, "", "link_down", "[cells_direct] listen"),
    ],
)
def test_a_link_without_a_connection_has_a_remedy(
    row: Neighbor, problem: str, name: str, remedy: str, state: State
) -> None:
    found, text = named(problem_of("api", row, link(problem), state))
    assert (found, remedy in text) == (name, True)


@pytest.mark.parametrize("state", [State.SILENT, State.MUTE])
def test_a_connected_neighbor_that_does_not_answer(state: State) -> None:
    def seen(status: dict[str, Any]) -> str:
        name, text = named(problem_of("api", DIALS_IN, status, state))
        assert name == "neighbor_hangs"
        return text

    assert "does not answer" in seen(link())
    own = {**link(), "managers": [{"host": "edge-1"}, {"host": "edge-2"}], "through": ["api-2"]}
    assert "edge-1, edge-2" in seen(own)
    assert "api-2" not in seen(own)
    assert "through manager api-2" in seen({**link(), "through": ["api-2"]})


@pytest.mark.parametrize("state", [State.UP, State.UNKNOWN])
def test_a_link_that_works_has_no_problem(state: State) -> None:
    assert problem_of("api", DIALS_IN, link("an old one"), state) is None


def test_an_open_second_door_is_a_finding() -> None:
    moving = Neighbor("edge", "", is_parent=False, driver="direct", certificate_path="api!edge", also_accept="rpc")
    assert finding_of(DIALS_IN, []) is None
    assert named(finding_of(moving, []))[0] == "move_unfinished"
    assert named(finding_of(moving, ["it expires"])) == ("certificate_expires", "it expires")

"""The drawn tree: places and states of the cells."""

from __future__ import annotations

from typing import Any

from cells import exceptions
from cells.manager.topology_report import draw
from cells.messages import Response
from cells.neighbors import State
from cells.path import CellPath
from tests.cases import each


def states(node: dict[str, Any]) -> dict[str, str]:
    """Return path -> state of all nodes, root first."""
    found = {node["path"]: node["state"]}
    for child in node["children"]:
        found |= states(child)
    return found


def find(node: dict[str, Any], path: str) -> dict[str, Any]:
    if node["path"] == path:
        return node
    return next(found for child in node["children"] if (found := find(child, path)))


def test_a_single_cell() -> None:
    cell = {"name": "api", "path": "api", "state": "up", "is_self": True, "children": []}
    assert draw(CellPath(["api"]), {}, [Response("api", {})]) == cell


def test_tree_from_the_top() -> None:
    answers = [Response("api!west"), Response("api!east!az1"), Response("api"), Response("api!east")]
    top = draw(CellPath(["api"]), "unknown", answers)
    assert states(top) == {"api": "up", "api!east": "up", "api!east!az1": "up", "api!west": "up"}
    assert [child["name"] for child in top["children"]] == ["east", "west"]
    assert find(top, "api!east!az1")["name"] == "az1"


def test_tree_from_the_middle_has_the_cells_above() -> None:
    top = draw(CellPath.parse("api!eu!east"), {"eu": State.MUTE}, [Response("east"), Response("east!az1")])
    assert states(top) == {"api": "unknown", "api!eu": "mute", "api!eu!east": "up", "api!eu!east!az1": "up"}
    assert [node["path"] for node in (top, find(top, "api!eu!east")) if node["is_self"]] == ["api!eu!east"]


@each(
    ("error", "state"),
    [
        (exceptions.CellTimeout("x"), "silent"),
        *((kind("x"), "unreachable") for kind in (exceptions.NeighborUnreachable, exceptions.NeighborBusy)),
        *((kind("x"), "up") for kind in (exceptions.UnknownMethod, exceptions.RemoteError)),
        *((kind("x"), "failed") for kind in (exceptions.InvalidArguments, exceptions.CellNotFound, ValueError)),
    ],
)
def test_state_of_a_cell_that_answered_with_an_error(error: Exception, state: str) -> None:
    top = draw(CellPath(["api"]), {}, [Response("api"), Response("api!east", error=error)])
    assert states(top)["api!east"] == state


@each(
    ("name", "seen", "state"),
    [
        ("az1", State.MUTE, "mute"),
        ("az1", State.SILENT, "silent"),
        ("az1", State.UP, "silent"),
        ("up", State.MUTE, "up"),
    ],
)
def test_only_a_silent_child_that_is_silent_for_long_is_mute(name: str, seen: State, state: str) -> None:
    silent = exceptions.CellTimeout("x")
    answers = [Response("east"), Response("east!up"), Response("east!az1", error=silent)]
    top = draw(CellPath.parse("api!east"), {name: seen}, answers)
    assert states(top)[f"api!east!{name}"] == state


def test_a_silent_cell_in_the_middle_is_unknown() -> None:
    top = draw(CellPath(["api"]), {}, [Response("api"), Response("api!east!az1")])
    assert states(top)["api!east"] == "unknown"


def test_without_any_answer_the_own_path_is_shown() -> None:
    top = draw(CellPath.parse("api!east"), {"api": State.UNREACHABLE}, [])
    assert states(top) == {"api": "unreachable", "api!east": "unknown"}
    assert find(top, "api!east")["is_self"]


@each("path", ["", "api!", "a b"])
def test_one_odd_answer_does_not_hide_the_others(path: str) -> None:
    top = draw(CellPath(["api"]), {}, [Response("api"), Response(path, {}), Response("api!west")])
    assert states(top)["api!west"] == "up"

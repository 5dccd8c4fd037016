"""``cells topology``."""

from __future__ import annotations

import io

import pytest

from cells.cli import tree
from cells.cli.base import FIRST_LOOK_SECONDS
from tests.unit.cli.conftest import Cells, Manager

AZ1 = {"name": "az1", "path": "api!east!az1", "state": "silent", "is_self": False, "children": []}
EAST = {"name": "east", "path": "api!east", "state": "up", "is_self": True, "children": [AZ1]}
WEST = {"name": "west", "path": "api!west", "state": "unreachable", "is_self": False, "children": []}
API = {"name": "api", "path": "api", "state": "up", "is_self": False, "children": [EAST, WEST]}

DRAWING = """\
api
├── east *
│   └── az1 (silent)
└── west (unreachable)
"""


@pytest.fixture(autouse=True)
def known(cells: Cells, manager: Manager) -> None:
    cells.configure(name="east")
    manager.tree = API


def test_the_tree_is_drawn(cells: Cells, manager: Manager) -> None:
    assert cells.degraded("topology").out == DRAWING
    assert cells.degraded("topology", "--timeout", "2", "-f", "text").out == DRAWING
    assert manager.asked == [("topology", FIRST_LOOK_SECONDS), ("topology", 2.0)]


def test_the_status_is_0_if_every_cell_is_up(cells: Cells, manager: Manager) -> None:
    """Case D5."""
    manager.tree = {**API, "children": [{**EAST, "children": []}]}
    assert cells.succeed("topology").status == 0


def test_another_cell_that_answers_is_an_error(cells: Cells, manager: Manager) -> None:
    """Case D4."""
    cells.configure(name="west")
    manager.seen = [{"name": "x", "state": "up", "is_parent": True, "cell": "api"}]
    manager.described = {"name": "api"}
    for words in (["topology"], ["status"], ["neighbor", "status"], ["ping", "west"]):
        assert "transport_url" in cells.fail(*words)


def test_json_is_the_tree_itself(cells: Cells) -> None:
    assert cells.degraded("topology", "-f", "json").value == API


def test_other_formats_have_a_row_for_each_cell(cells: Cells) -> None:
    lines = cells.degraded("topology", "-f", "value").out.splitlines()
    assert lines == ["api up False", "api!east up True", "api!east!az1 silent False", "api!west unreachable False"]


def test_a_terminal_without_box_characters_gets_ascii() -> None:
    def strokes_for(encoding: str) -> tree.Strokes:
        return tree.strokes_for(io.TextIOWrapper(io.BytesIO(), encoding))

    assert strokes_for("latin-1") is tree.strokes_for(io.StringIO()) is tree.ASCII
    assert strokes_for("utf-8") is tree.BOX
    assert list(tree.draw(API, tree.ASCII)) == ["api", "|-- east *", "|   `-- az1 (silent)", "`-- west (unreachable)"]


def test_a_cell_alone() -> None:
    assert list(tree.draw({"name": "api", "is_self": True})) == ["api * (unknown)"]

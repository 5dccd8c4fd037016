"""``cells topology``."""

from __future__ import annotations

import io
import itertools
from typing import Any
from xml.etree import ElementTree

import pytest

from cells.cli import tree, tree_dot, tree_svg
from cells.cli.base import FIRST_LOOK_SECONDS
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

SVG = "{http://www.w3.org/2000/svg}"
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


def test_the_graphviz_text_quotes_names_and_shows_states_by_shape() -> None:
    hostile = {"name": 'x"];\\N&lt;', "path": "api", "state": "up", "is_self": True, "children": [AZ1, WEST]}
    lines = list(tree_dot.draw(hostile))
    assert 'label="x\\"];\\\\N&amp;lt;\\n(this cell)"' in lines[4]
    assert [line for line in lines if "az1" in line and "silent" in line and "dashed" in line]
    assert [line for line in lines if "west" in line and "octagon" in line]
    assert "    n0 -> n1 [style=dashed];" in lines
    for line in lines:
        plain = line.replace("\\\\", "").replace('\\"', "")
        assert plain.count('"') % 2 == 0


def test_a_picture_contains_each_cell_as_text_and_state(cells: Cells) -> None:
    root = ElementTree.fromstring(cells.degraded("topology", "-f", "svg").out)
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == [
        "Cells: 2 up, 1 silent, 1 unreachable",
        *("api: up", "api!east: up", "api!east!az1: silent", "api!west: unreachable"),
    ]
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts[3:] == ["api", "eastthis cell", "az1silent", "westunreachable"]
    style = root.findtext(f"{SVG}style")
    # The output escapes a line break within a line, and CSS would take the rest for a part of the selector.
    assert style is not None
    assert "\\" not in style
    assert "digraph" in cells.degraded("topology", "-f", "dot").out


@each("name", ["<script>alert(1)</script>", 'a"b&c', "\x1b[2J", "\ud800", "\ufffe", "東" * 200])
def test_a_name_is_no_markup(name: str) -> None:
    picture = "\n".join(tree_svg.draw({"name": name, "is_self": True}))
    root = ElementTree.fromstring(picture)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "style", "rect", "g", "circle", "text", "tspan")
    }
    assert "\x1b" not in picture


def test_boxes_of_a_wide_and_deep_tree_do_not_overlap() -> None:
    def grow(name: str, depth: int) -> dict[str, Any]:
        children = [grow(f"{name}.{number}", depth - 1) for number in range(depth)]
        return {"name": name, "state": "up", "children": children}

    root = ElementTree.fromstring("\n".join(tree_svg.draw(grow("c", 5))))
    boxes = [box.attrib for box in root.iter(f"{SVG}rect") if box.get("class") == "box"]
    places = [tuple(float(box[key]) for key in ("x", "y", "width", "height")) for box in boxes]
    columns: dict[float, list[float]] = {}
    for left, top, width, _ in places:
        columns.setdefault(left, []).append(top)
        assert left + width <= float(root.attrib["width"])
        assert top + places[0][3] <= float(root.attrib["height"])
    for tops in columns.values():
        assert all(after - before >= places[0][3] for before, after in itertools.pairwise(sorted(tops)))

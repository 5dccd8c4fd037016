"""The known part of the tree: the own path, the cells below, and the walk to a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given

from cells import exceptions
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import MAX_CELLS, MAX_DEPTH, Topology
from cells.path import CellPath
from tests.cases import each
from tests.json_values import JSON


def row(name: str, *, is_parent: bool = False) -> Neighbor:
    return Neighbor(name, "memory://bus/x", is_parent)


def known(name: str, parents: Mapping[str, Any] | None = None, children: Mapping[str, Any] | None = None) -> Topology:
    """Return the topology of cell ``name``, from the answer of each neighbor to a ping, or None."""
    parents, children = parents or {}, children or {}
    table = NeighborTable(300.0)
    table.replace([*(row(parent, is_parent=True) for parent in parents), *map(row, children)])
    for neighbor, description in {**parents, **children}.items():
        if description is not None:
            table.record(neighbor, description=description)
    return Topology(name, table)


@pytest.fixture
def east() -> Topology:
    """Return the topology of east in ``api!eu!east``, with two zones below, one of them with racks."""
    return known(
        "east",
        {"eu": {"path": "api!eu"}},
        {"az1": {"subtree": {"rack": {}, "deep": {"x": {}}}}, "az2": {"subtree": {}}},
    )


def test_a_cell_without_parents_is_the_root() -> None:
    assert known("api").own_paths() == [CellPath(["api"])]


def test_own_path_goes_through_the_path_of_the_parent(east: Topology) -> None:
    assert str(east.own_path) == "api!eu!east"


@each(
    "description",
    [None, {}, {"path": None}, {"path": 5}, {"path": ""}, {"path": "a b!eu"}, {"path": "api!europe"}, {"path": ["eu"]}],
)
def test_a_parent_without_an_announced_path_counts_as_the_root(description: Any) -> None:
    assert str(known("east", {"eu": description}).own_path) == "eu!east"


def test_one_path_per_parent() -> None:
    paths = known("east", {"one": {"path": "top!one"}, "two": None}).own_paths()
    assert [str(path) for path in paths] == ["top!one!east", "two!east"]


def test_subtree(east: Topology) -> None:
    assert east.subtree() == {"az1": {"rack": {}, "deep": {"x": {}}}, "az2": {}}


@each("claimed", [None, 5, "az", ["az"], {"": {}}, True])
def test_a_subtree_of_a_wrong_form_is_empty(claimed: Any) -> None:
    assert known("api", children={"east": {"subtree": claimed}}).subtree() == {"east": {}}


def test_a_subtree_is_cut_at_the_maximum_depth() -> None:
    claimed: dict[str, Any] = {}
    for _ in range(500):
        claimed = {"x": claimed}
    below = known("api", children={"east": {"subtree": claimed}}).subtree()["east"]
    depth = 0
    while below:
        below, depth = below["x"], depth + 1
    assert MAX_DEPTH <= depth <= MAX_DEPTH + 1


@given(JSON, JSON)
def test_any_announcement_gives_a_result(path: Any, subtree: Any) -> None:
    topology = known("east", {"eu": {"path": path}}, {"az1": {"subtree": subtree}})
    assert topology.own_path.last == "east"
    assert list(topology.subtree()) == ["az1"]
    assert topology.walk_to("az1").first == "east"
    with pytest.raises(exceptions.RoutingError):
        topology.walk_to("nowhere-at-all")


@each("name", ["a!b", "a b", "a\n", "\x1b[2J"])
def test_a_subtree_holds_only_names_that_a_cell_can_have(name: str) -> None:
    assert known("api", children={"east": {"subtree": {name: {}, "az1": {}}}}).subtree() == {"east": {"az1": {}}}


def test_a_circle_of_parents_makes_no_path_grow_for_ever() -> None:
    tables = {name: NeighborTable(300.0) for name in "abc"}
    cells = {name: Topology(name, table) for name, table in tables.items()}
    parents = {"a": "c", "b": "a", "c": "b"}
    for name, parent in parents.items():
        tables[name].replace([row(parent, is_parent=True)])
    for _ in range(MAX_DEPTH):
        for name, parent in parents.items():
            tables[name].record(parent, description={"path": str(cells[parent].own_path)})
    assert max(len(cell.own_path) for cell in cells.values()) <= MAX_DEPTH + 1


@each(
    ("text", "walk"),
    [
        ("east", "east"),
        ("eu", "east!eu"),
        ("api", "east!eu!api"),
        ("az1", "east!az1"),
        ("rack", "east!az1!rack"),
        ("x", "east!az1!deep!x"),
        ("api!eu!east", "east"),
        ("api!eu!east!az1!rack", "east!az1!rack"),
        ("api!eu", "east!eu"),
        ("api!eu!west", "east!eu!west"),
        ("api!us!west!az9", "east!eu!api!us!west!az9"),
    ],
)
def test_walk(east: Topology, text: str, walk: str) -> None:
    assert str(east.walk_to(text)) == walk


def test_unknown_name(east: Topology) -> None:
    with pytest.raises(exceptions.CellNotFound, match="'nowhere' is known in east") as caught:
        east.walk_to("nowhere")
    assert caught.value.cell == "nowhere"


def test_path_from_another_root(east: Topology) -> None:
    with pytest.raises(exceptions.CellNotFound):
        east.walk_to("east!az1")


@each("text", ["", "!", "a!", "a b", "a!!b", "a\nb"])
def test_text_that_is_neither_name_nor_path_is_malformed(east: Topology, text: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        east.walk_to(text)


def test_name_that_several_cells_have() -> None:
    api = known("api", children={"east": {"subtree": {"az": {}}}, "west": {"subtree": {"az": {}}}})
    with pytest.raises(exceptions.AmbiguousCell) as caught:
        api.walk_to("az")
    assert caught.value.candidates == ["api!east!az", "api!west!az"]
    assert str(api.walk_to("api!west!az")) == "api!west!az"


@each(
    ("name", "walk"),
    [
        ("west", "eu!west"),  # a sibling of the liar
        ("api", "eu!api"),  # the parent
        ("top", "eu!api!top"),  # an ancestor
        ("eu", "eu"),  # this cell
    ],
)
def test_child_that_claims_the_name_of_another_cell_does_not_get_its_messages(name: str, walk: str) -> None:
    """(case G6)."""
    claimed: dict[str, Any] = {name: {}, "deep": {name: {}}}
    cell = known("eu", {"api": {"path": "top!api"}}, {"west": {}, "liar": {"subtree": claimed}})
    assert str(cell.walk_to(name)) == walk


def test_name_that_was_learned_elsewhere_is_not_taken_over() -> None:
    """(case G6)."""
    learners: tuple[Callable[[Topology], object], ...] = (Topology.remember_names, lambda known: known.walk_to("az1"))
    for learn in learners:
        table = NeighborTable(300.0)
        table.replace([row("east"), row("liar")])
        table.record("east", description={"subtree": {"az1": {}}})
        topology = Topology("api", table)
        learn(topology)
        learn(topology)
        table.record("liar", description={"subtree": {"az1": {}}})
        assert str(topology.walk_to("az1")) == "api!east!az1"
        learn(topology)
        table.record("east", description={"subtree": {}})
        assert str(topology.walk_to("az1")) == "api!liar!az1"


def test_cells_beyond_the_bound_are_left_out() -> None:
    """(case G6)."""
    claimed: dict[str, Any] = {str(number): {} for number in range(MAX_CELLS + 10)}
    cell = known("api", children={"liar": {"subtree": {"deep": claimed}}, "east": {"subtree": {"az1": {}}}})
    assert len(cell.subtree()["liar"]["deep"]) == MAX_CELLS - 1
    assert str(cell.walk_to("az1")) == "api!east!az1"
    assert (cell.cells_left_out("liar"), cell.cells_left_out("east")) == (11, 0)


@each(
    ("claimed", "left_out"),
    [({"a!b": {"c": {}}, "az1": {}}, 2), ({"az1": {"rack": {}}}, 0), ({"az1": 5}, 0), (["az1"], 0), (None, 0)],
)
def test_cells_that_no_tree_has_are_counted(claimed: Any, left_out: int) -> None:
    assert known("api", children={"east": {"subtree": claimed}}).cells_left_out("east") == left_out


def test_two_parents_make_no_name_below_ambiguous() -> None:
    shared = known("shared", {"one": None, "two": None}, {"low": None})
    assert str(shared.walk_to("low")) == "shared!low"
    assert str(shared.walk_to("two")) == "shared!two"
    assert str(shared.walk_to("two!shared!low")) == "shared!low"
    assert str(shared.walk_to("two!other")) == "shared!two!other"


def test_a_neighbor_that_is_gone_is_no_longer_known() -> None:
    table = NeighborTable(300.0)
    table.replace([row("east")])
    table.record("east", description={"subtree": {"az1": {}}})
    topology = Topology("api", table)
    assert str(topology.walk_to("az1")) == "api!east!az1"
    table.replace([])
    with pytest.raises(exceptions.CellNotFound):
        topology.walk_to("az1")

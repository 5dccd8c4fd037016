"""The notation of a tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.sandbox.tree import DEFAULT_TREE, MAX_CELLS, MAX_DEPTH, Tree, parse
from tests.cases import each


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Generate any tree with unique names: the parent of each cell is an earlier cell."""
    letters = st.characters(exclude_characters="(),[]!/ ", exclude_categories=("C", "Z"))
    names = st.text(letters, min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
    found = draw(st.lists(names, min_size=1, max_size=12, unique=True))
    parents = [draw(st.integers(0, max(0, position - 1))) for position in range(len(found))]

    def build(position: int) -> Tree:
        below = [child for child in range(1, len(found)) if parents[child] == position]
        return Tree(found[position], tuple(build(child) for child in below))

    return build(0)


@given(tree=trees())
def test_round_trip(tree: Tree) -> None:
    assert parse(str(tree)) == tree
    assert len(tree.names()) == len(list(tree.links())) + 1


@given(text=st.text(alphabet="ab(),[1-2] !", max_size=20))
def test_any_text_is_a_tree_or_a_named_error(text: str) -> None:
    try:
        tree = parse(text)
    except exceptions.SandboxError:
        return
    assert parse(str(tree)) == tree


def test_the_default() -> None:
    tree = parse(DEFAULT_TREE)
    assert [str(path) for path, _ in tree.walk()] == ["api", "api!east", "api!east!az1", "api!east!az2", "api!west"]
    assert list(tree.links()) == [("api", "east"), ("east", "az1"), ("east", "az2"), ("api", "west")]
    assert tree.shape() == {"east": {"az1": {}, "az2": {}}, "west": {}}
    assert tree.depth() == 3
    assert tree.names() == ["api", "east", "az1", "az2", "west"]


def test_blanks_between_names_do_not_matter() -> None:
    assert parse(" api ( east ,\n west ) ") == parse("api(east,west)")


@each(
    ("text", "written"),
    [
        ("api(az[1-3])", "api(az1,az2,az3)"),
        ("api(az[9-11].x,west)", "api(az9.x,az10.x,az11.x,west)"),
        ("api(az[08-10])", "api(az08,az09,az10)"),
        ("api[3-3](b)", "api3(b)"),
    ],
)
def test_a_range_stands_for_several_cells(text: str, written: str) -> None:
    assert str(parse(text)) == written


@each(
    ("text", "told"),
    [
        *((text, "at character 5: ") for text in ("api(", "api()")),
        *((text, "at character 10: ") for text in ("api(east,)", "api(east))", "api(east west)", "api(east)west")),
        ("", "at character 1: "),
        ("api(east", "at character 9: a ')' is missing for the '(' at 4"),
        *((text, "2 cells") for text in ("api,east", "api[1-2]")),
        ("api(east,west(east))", "at character 15: there is a second east"),
        ("api(e!w)", "at character 5: The cell name 'e!w'"),
        *((f"api({name})", f"at character 5: '{name}' ") for name in ("a/b", "..")),
        *((text, "az[1-50]") for text in ("api(az[1-])", "api(az[5-1])", "api(az])")),
        ("api(e[1-2](az))", "e1 to e2"),
        ("api(az[1-999999999])", str(MAX_CELLS)),
        ("(".join(f"a{level}" for level in range(MAX_DEPTH + 1)), str(MAX_DEPTH)),
        ("a" * 300, "255"),
    ],
)
def test_malformed_tree_is_refused_with_its_position(text: str, told: str) -> None:
    with pytest.raises(exceptions.SandboxError) as caught:
        parse(text)
    assert told in caught.value.message

"""CellPath: reading, writing, and the way from one cell to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.path import MAX_NAME_LENGTH, SEPARATOR, CellPath, check_name
from tests.cases import each

NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=SEPARATOR), min_size=1, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(CellPath)


@each("name", ["api", "a" * MAX_NAME_LENGTH, "eu-west_1.az", "Zürich", "東", "1"])
def test_good_name_is_given_back(name: str) -> None:
    assert check_name(name) == name


@each(
    "name",
    [
        *("", "a" * (MAX_NAME_LENGTH + 1), "a!b", "!", "a b", " a", "a\n", "a\x00", "\u00a0", "a\u2028b", "\ud800"),
        *("\u200b", None, 5, b"api", ["api"], True),
    ],
)
def test_invalid_name_is_refused(name: object) -> None:
    with pytest.raises(exceptions.InvalidNeighbor):
        check_name(name)


def test_the_error_of_a_name_contains_the_name() -> None:
    with pytest.raises(exceptions.InvalidNeighbor) as caught:
        check_name("a!b")
    assert caught.value.cell == "a!b"


def test_a_route_in_a_text_is_no_path() -> None:
    route = CellPath(["az1", "east", "api"])
    assert route.as_route == "az1 > east > api"
    with pytest.raises(exceptions.MalformedMessage):
        CellPath.parse(route.as_route)


def test_a_route_in_a_text_is_bounded() -> None:
    assert len(CellPath(["api"] * 2000).as_route) < 400


def test_parse_reads_names_from_the_top() -> None:
    path = CellPath.parse("api!east!az1")
    assert list(path) == ["api", "east", "az1"]
    assert (path.first, path.last, len(path)) == ("api", "az1", 3)
    assert str(path) == "api!east!az1"
    assert repr(path) == "CellPath('api!east!az1')"


@each("text", ["", "!", "a!", "!a", "a!!b", "a b!c", "a!\n", "\ud800!a", "x" * 300])
def test_parse_refuses_what_has_a_bad_name(text: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        CellPath.parse(text)


@each("value", [None, 1, ["api"], {"a": 1}, b"api", True])
def test_parse_refuses_what_is_no_text(value: object) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        CellPath.parse(value)


@pytest.mark.parametrize("text", ["!" * 100_000, "a " * 100_000])
def test_message_of_an_error_stays_short(text: str) -> None:
    with pytest.raises(exceptions.MalformedMessage) as caught:
        CellPath.parse(text)
    assert len(caught.value.message) < 600


def test_a_path_has_a_cell() -> None:
    with pytest.raises(exceptions.MalformedMessage):
        CellPath([])
    with pytest.raises(exceptions.MalformedMessage):
        CellPath(["a"])[1:]


@given(PATHS)
def test_parse_reads_what_str_writes(path: CellPath) -> None:
    assert CellPath.parse(str(path)) == path


@given(st.text(max_size=30))
def test_parse_raises_nothing_but_malformed_message(text: str) -> None:
    try:
        path = CellPath.parse(text)
    except exceptions.MalformedMessage:
        return
    assert str(path) == text


@given(PATHS, PATHS)
def test_equality_hash_and_order_are_those_of_the_names(one: CellPath, other: CellPath) -> None:
    assert (one == other) is (tuple(one) == tuple(other))
    assert (one < other) is (tuple(one) < tuple(other))
    assert hash(one) == hash(CellPath(one))


def test_a_path_equals_no_text() -> None:
    assert CellPath(["a"]) != "a"


def test_a_path_can_not_be_given_new_attributes() -> None:
    with pytest.raises(AttributeError):
        CellPath(["a"]).extra = 1  # type: ignore[attr-defined]


def test_longer_paths() -> None:
    east = CellPath.parse("api!east")
    assert east.child("az1") == CellPath.parse("api!east!az1")
    assert east.joined(["az1", "rack"]) == CellPath.parse("api!east!az1!rack")
    assert east.joined(CellPath(["az1"])) == CellPath.parse("api!east!az1")
    assert str(east) == "api!east"


def test_index_and_slice() -> None:
    path = CellPath.parse("api!east!az1")
    assert path[0] == "api"
    assert path[-1] == "az1"
    assert path[-2:] == CellPath.parse("east!az1")
    with pytest.raises(IndexError):
        path[3]


@given(PATHS)
def test_the_way_back_of_the_way_back(path: CellPath) -> None:
    assert path.reversed().reversed() == path
    assert path.reversed().first == path.last


@given(PATHS, PATHS)
def test_prefix_and_common_length_agree(one: CellPath, other: CellPath) -> None:
    assert one.is_prefix_of(other) is (one.common_length(other) == len(one))
    assert one.common_length(other) == other.common_length(one)
    assert one.is_prefix_of(one.joined(other))
    assert one.is_prefix_of(one)


@each(
    ("start", "end", "walk"),
    [
        ("api", "api", "api"),
        ("api", "api!east!az1", "api!east!az1"),
        ("api!east!az1", "api", "az1!east!api"),
        ("api!east!az1", "api!west", "az1!east!api!west"),
        ("api!east!az1", "api!east!az2", "az1!east!az2"),
        ("api!east", "api!east", "east"),
    ],
)
def test_walk(start: str, end: str, walk: str) -> None:
    assert str(CellPath.parse(start).walk_to(CellPath.parse(end))) == walk


def test_walk_to_another_tree_is_refused() -> None:
    with pytest.raises(exceptions.CellNotFound) as caught:
        CellPath.parse("api!east").walk_to(CellPath.parse("top!east"))
    assert caught.value.cell == "top!east"


@given(PATHS, PATHS)
def test_walk_visits_each_cell_between_once_and_back_again(one: CellPath, other: CellPath) -> None:
    top = CellPath(["top"])
    start, end = top.joined(one), top.joined(other)
    walk = start.walk_to(end)
    assert (walk.first, walk.last) == (start.last, end.last)
    assert len(walk) == len(start) + len(end) - 2 * start.common_length(end) + 1
    assert end.walk_to(start) == walk.reversed()

"""``cells upgrade matrix`` and ``cells trace`` in a tree of real managers with all kinds of caps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    """Tree in which east has a cap for all neighbors, and api ("auto" by default) gets a cap for west only."""
    tree = Tree(
        tmp_path_factory.mktemp("matrix"),
        {"api": {"east": {"az1": {}}, "west": {}}},
        rabbitmq.take,
        cell_options={"east": {"upgrade_levels": {"intercell": "1.2"}}},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


def matrix(tree: Tree) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows by cell and neighbor."""
    rows = tree["api"].cells("upgrade", "matrix", "-f", "json", "--timeout", "10").json()
    return {(row["cell"], row["neighbor"]): row for row in rows}


def spoken(tree: Tree) -> dict[tuple[str, str], str]:
    return {link: row["spoken"] for link, row in matrix(tree).items()}


ALL_LINKS = {
    ("api", "east"): "1.4",
    ("api", "west"): "1.4",
    ("api!east", "api"): "1.2",
    ("api!east", "az1"): "1.2",
    ("api!east!az1", "east"): "1.4",
    ("api!west", "api"): "1.4",
}


def test_each_link_is_shown_with_its_cap(tree: Tree) -> None:
    poll(lambda: spoken(tree) == ALL_LINKS, "all cells have announced their versions")

    rows = matrix(tree)
    assert {row["reads"] for row in rows.values()} == {"1.4"}
    assert {row["announced"] for row in rows.values()} == {"1.4"}
    by_default = rows["api", "east"]
    assert (by_default["type"], by_default["state"]) == ("child", "up")
    assert (by_default["global_cap"], by_default["neighbor_cap"]) == ("auto", None)
    assert (by_default["can_be_raised"], by_default["reason"]) == (False, "")
    for neighbor in ("api", "az1"):
        for_all = rows["api!east", neighbor]
        assert (for_all["global_cap"], for_all["can_be_raised"]) == ("1.2", True)
        assert for_all["reason"] == f"[upgrade_levels] intercell = 1.2; {neighbor} reads 1.4"

    tree["api"].succeed("neighbor", "set", "west", "--version-cap", "1.0")
    tree["api"].hup()
    poll(lambda: spoken(tree) == {**ALL_LINKS, ("api", "west"): "1.0"}, "the cap of west alone holds")
    of_one = matrix(tree)["api", "west"]
    assert (of_one["neighbor_cap"], of_one["can_be_raised"]) == ("1.0", True)
    assert of_one["reason"] == "the cap of neighbor west, 1.0; west reads 1.4"
    refused = tree["api"].cells("trace", "west")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "upgrade matrix" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    tree["api"].succeed("neighbor", "set", "west", "--version-cap", "auto")
    tree["api"].hup()
    poll(lambda: spoken(tree) == ALL_LINKS, "the cap of west is raised")


def test_a_trace_shows_the_way_there_and_back(tree: Tree) -> None:
    events = tree["api"].cells("trace", "az1", "-f", "json").json()
    assert [event["cell"] for event in events] == ["api", "east", "az1", "az1", "east", "api"]
    assert events[0]["seconds"] == 0
    # All cells of this test have the same clock.
    seconds = [event["seconds"] for event in events]
    assert seconds == sorted(seconds)


def test_a_silent_cell_has_a_row_with_its_error(tree: Tree) -> None:
    poll(lambda: spoken(tree) == ALL_LINKS, "all cells have announced their versions")
    tree["az1"].kill()

    shown = tree["api"].cells("upgrade", "matrix", "-f", "value", "-c", "cell", "-c", "reads", "--timeout", "2")

    assert shown.returncode == 1
    assert shown.stdout.splitlines() == [*["api 1.4"] * 2, *["api!east 1.4"] * 2, "api!east!az1 1.4", "api!west 1.4"]
    assert shown.stderr.startswith("cells: api!east!az1 ")
    assert "CellTimeout: " in shown.stderr
    assert len(shown.stderr.splitlines()) == 1

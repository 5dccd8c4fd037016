"""Cap ``auto``: a link follows the announced version of the neighbor, up and down, without an operator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from cells import versions
from tests.functional.cell_tree import CONTEXT, wait_for
from tests.functional.wire_tap import VersionTree
from tests.thorough import cases

SHAPE = {"api": {"east": {"az1": {}}}}
ALL = ["api", "api!east", "api!east!az1"]
OLDER = ["1.0", "1.1", "1.2", "1.3"]


@pytest.fixture(scope="module")
def shared() -> Iterator[VersionTree]:
    with VersionTree(SHAPE) as tree:
        yield tree


@pytest.fixture
def tree(shared: VersionTree) -> Iterator[VersionTree]:
    """A tree that tests share.  After each of them, all cells have the newest release."""
    yield shared
    shared.upgrade()


def check(tree: VersionTree) -> None:
    """Check that all operations work between all cells."""
    tree.forget_arrivals()
    for source, target in (("api", "api!east"), ("api", "api!east!az1"), ("az1", "api"), ("east", "api")):
        assert tree[source].call(target) == target
    answers = tree["api"].broadcast()
    assert {way: answer.value for way, answer in answers.items()} == {way: way for way in ALL}
    assert not tree.unreadable


@pytest.mark.parametrize(
    ("name", "older"),
    cases(
        itertools.product(["api", "east", "az1"], OLDER),
        [("api", "1.0"), ("east", "1.1"), ("az1", "1.2"), ("api", "1.3"), ("east", "1.0"), ("az1", "1.1")],
    ),
)
def test_link_falls_back_when_a_cell_is_downgraded_and_rises_when_it_is_upgraded(
    tree: VersionTree, name: str, older: str
) -> None:
    links = [(row, name) for row in tree[name].service.table.snapshot().all()]
    assert {tree.link_version(*ends) for ends in links} == {versions.CURRENT}
    check(tree)
    for release in (older, versions.CURRENT):
        tree.restart(name, release)
        for neighbor, _ in links:
            tree.wait_for_version(neighbor, name, release)
            tree.wait_for_version(name, neighbor, release)
        wait_for(lambda: tree[name].service.topology.own_path == tree[name].path, f"{name} knows its path")
        check(tree)
        features = {feature for arrival in tree.arrivals() if arrival.cell == name for feature in arrival.features}
        # No cell sends broadcasts up to the top here.
        possible = {"1.1", "1.3"} if name == "api" else {"1.1", "1.2", "1.3"}
        assert features & possible == {feature for feature in possible if feature <= release}


@pytest.mark.parametrize("older", cases(OLDER, ["1.0", "1.2"]))
def test_a_link_has_the_lowest_version_of_the_managers_of_a_cell(older: str) -> None:
    """During its upgrade a cell has managers of two releases, and each may get the next message."""
    links = ["api", "az1"]
    with VersionTree(SHAPE, managers={"east": 2}) as tree:
        for name in links:
            tree.wait_for_version(name, "east", versions.CURRENT)
        cell = tree["east"].managers[1].cell
        describe, reads = cell.describe, {"version": older}
        cell.describe = lambda: {**describe(), **reads}  # type: ignore[method-assign]
        for name in links:
            tree[name].service.prober.ping("east")
            tree.wait_for_version(name, "east", older)
        # Either manager may answer next.
        for _ in range(10):
            for name in links:
                service = tree[name].service
                service.prober.ping("east")
                wait_for(lambda: len(service.pending) == 0, "it is answered")  # noqa: B023
                assert tree.link_version(name, "east") == older
        check(tree)
        reads["version"] = versions.CURRENT
        for name in links:
            tree[name].service.prober.ping("east")
            tree.wait_for_version(name, "east", versions.CURRENT)
        check(tree)


def test_the_status_shows_the_version_of_each_link_and_its_reason(tree: VersionTree) -> None:
    def link() -> tuple[str, str | None, str]:
        (found,) = [one for one in tree["api"].service.cell.links()["links"] if one["neighbor"] == "east"]
        return found["spoken"], found["announced"], found["reason"]

    assert link() == (versions.CURRENT, versions.CURRENT, "")
    tree.restart("east", "1.1")
    for neighbor in ("api", "az1"):
        tree.wait_for_version(neighbor, "east", "1.1")
    assert link() == ("1.1", "1.1", "east reads no more than 1.1: upgrade it first")
    wait_for(lambda: tree["api"].neighbors()["east"]["version"] == "1.1", "the description of east arrives")
    assert tree["api"].service.manager.status(CONTEXT)["version"] == versions.CURRENT
    found = tree["az1"].call("api", "links")
    assert (found["cell"], found["reads"], [one["spoken"] for one in found["links"]]) == (
        "api",
        versions.CURRENT,
        ["1.1"],
    )

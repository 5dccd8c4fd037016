"""Tree of five real managers on three kinds of databases: all operations work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cells.context import get_admin_context
from tests.integration.clients import ConnectTo
from tests.integration.processes import Tree
from tests.integration.servers import MYSQL_URL, POSTGRESQL_URL, fresh_database
from tests.integration.transports import Linked
from tools.polling import poll

pytestmark = [pytest.mark.postgresql, pytest.mark.mariadb]

SHAPE = {"api": {"east": {"az1": {}}, "west": {"az2": {}}}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, linked: Linked) -> Iterator[Tree]:
    # Separate databases, because there is a tree for each transport.
    with fresh_database(POSTGRESQL_URL) as postgresql_url, fresh_database(MYSQL_URL) as mariadb_url:
        tree = Tree(
            tmp_path_factory.mktemp("tree"),
            SHAPE,
            linked.transports.take,
            links=linked.links,
            connections={"east": postgresql_url, "az1": mariadb_url},
            cell_options={"az1": {"cells": {"capabilities": "hypervisor=kvm;xenserver,os=linux"}}},
        )
        try:
            yield tree.start()
        finally:
            tree.stop()


@pytest.mark.parametrize(
    ("source", "target", "path"),
    [
        pytest.param("api", "api!east!az1", "api!east!az1", id="down-two-hops"),
        pytest.param("api", "az1", "api!east!az1", id="down-by-short-name"),
        pytest.param("api", "east", "api!east", id="down-one-hop"),
        pytest.param("az1", "api", "api", id="up-two-hops"),
        pytest.param("az1", "api!east", "api!east", id="up-one-hop"),
        pytest.param("az1", "api!west!az2", "api!west!az2", id="up-and-down-again"),
        pytest.param("west", "api!east", "api!east", id="sibling"),
        pytest.param("east", "api!east", "api!east", id="itself"),
    ],
)
def test_call_is_answered_by_its_target(tree: Tree, source: str, target: str, path: str) -> None:
    answer = tree[source].cells("call", target, "ping", "-f", "json").json()
    assert answer["path"] == path
    assert answer["host"] == path.rpartition("!")[2]


def test_ping_reports_every_round_trip(tree: Tree) -> None:
    rounds = tree["api"].cells("ping", "az1", "--count", "3", "-f", "json").json()
    assert len(rounds) == 3


def test_broadcast_is_answered_by_every_cell(tree: Tree) -> None:
    answers = tree["api"].cells("broadcast", "ping", "--direction", "down", "-f", "json").json()
    assert {answer["cell"] for answer in answers} == set(tree.paths.values())


def test_broadcast_up_is_answered_by_the_ancestors(tree: Tree) -> None:
    answers = tree["az1"].cells("broadcast", "ping", "--direction", "up", "-f", "json").json()
    assert {answer["cell"].rpartition("!")[2] for answer in answers} == {"api", "east", "az1"}


def test_topology_is_drawn(tree: Tree) -> None:
    drawn = tree["api"].cells("topology").stdout
    lines = {name: next(line for line in drawn.splitlines() if name in line) for name in tree.paths}
    depths = {name: line.index(name) for name, line in lines.items()}
    assert depths["api"] < depths["east"] < depths["az1"]
    assert depths["east"] == depths["west"]


def test_topology_is_the_same_tree_from_below(tree: Tree) -> None:
    root = tree["az1"].cells("topology", "-f", "json").json()
    assert root["path"] == "api"
    east = next(child for child in root["children"] if child["name"] == "east")
    assert [child["path"] for child in east["children"] if child["is_self"]] == ["api!east!az1"]


def test_capabilities_reach_the_top(tree: Tree, connect_to: ConnectTo) -> None:
    api = connect_to(tree["api"])
    expected = {"hypervisor": ["kvm", "xenserver"], "os": ["linux"]}
    poll(lambda: api.capabilities(get_admin_context()) == expected, "api knows the capabilities of az1")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        pytest.param(["call", "nowhere", "ping"], "nowhere", id="unknown-cell"),
        pytest.param(["call", "api!west!az1", "ping"], "az1", id="path-that-does-not-exist"),
        pytest.param(["call", "other!east!az1", "ping"], "other", id="another-top"),
        pytest.param(["call", "az1", "no_such_method"], "no_such_method", id="unknown-method"),
        pytest.param(["call", "az1", "__init__"], "__init__", id="no-method-at-all"),
        pytest.param(["call", "az1", "ping", "colour=red"], "colour", id="unknown-argument"),
        pytest.param(["call", "api!!az1", "ping"], "api!!az1", id="malformed-path"),
    ],
)
def test_error_is_one_line_for_a_person(tree: Tree, arguments: list[str], word: str) -> None:
    returncode, stdout, stderr = tree["api"].cells(*arguments)
    assert returncode == 2
    assert stdout == ""
    assert word in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert "Traceback" not in stderr

"""A cell with two managers on RabbitMQ, of which one has no connection to a neighbor: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.loaded_tree import LoadedTree
from tests.integration.rabbitmq import VirtualHostPool
from tools.manager_process import ManagerProcess

pytestmark = pytest.mark.rabbitmq

CHILDREN = ("az1", "az2")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[LoadedTree]:
    """Tree in which the children of east know the address of its first manager alone."""
    place = tmp_path_factory.mktemp("siblings")
    with LoadedTree(place, rabbitmq, links="direct", addresses={"east": 2}).started() as loaded:
        first, _ = (loaded.direct.row("east", is_parent=True).addresses or "").split(",")
        for child in CHILDREN:
            loaded[child].succeed("neighbor", "set", "east", "--address", first)
        yield loaded


@pytest.fixture(scope="module")
def apart(tree: LoadedTree) -> Iterator[ManagerProcess]:
    """The second manager of east, without a connection to a child."""
    with tree.second("east", "api") as manager:
        yield manager


def test_every_operation_arrives_once(tree: LoadedTree, apart: ManagerProcess) -> None:
    with tree.load(loses_nothing=True, fails_nothing=True):
        pass
    assert {tree.connected(child, "east").pop() for child in CHILDREN} == {"east"}


def test_restarts_of_both_managers_lose_nothing(tree: LoadedTree, apart: ManagerProcess) -> None:
    with tree.load(loses_nothing=True):
        assert apart.terminate() == 0
        apart.start(tree.env).wait_ready()
        assert tree["east"].terminate() == 0
        tree.restart("east")


def test_a_kill_of_the_connected_manager_loses_nothing_in_silence(tree: LoadedTree, apart: ManagerProcess) -> None:
    with tree.load():
        tree["east"].kill9()
        tree.restart("east")

"""``cells doctor`` over links and transports of every kind."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.doctor_tree import Examined, doctor
from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import Transports, ZmqTransports
from tools.polling import poll

pytestmark = [pytest.mark.timeout(400)]

SHAPE = {"api": {"east": {}}}


#: The certificates of these trees end within 30 days.
SOON = "certificate_expires"


def troubled(examined: Examined) -> set[tuple[str, str]]:
    """Return cell and subject of each finding."""
    return {one[1:] for one in examined.found if one[0] != SOON}


def check_a_tree(tree: Tree) -> None:
    """A tree that is well, with a child that hangs, and with one that is gone."""
    api, east = tree["api"], tree["east"]
    examined = doctor(api, "--tree")
    assert troubled(examined) == set()
    east.signal(signal.SIGSTOP)
    poll(lambda: doctor(api).status == 2, "the silence is noticed", 60)
    assert troubled(doctor(api)) == {("api", "east")}
    east.kill9()
    poll(lambda: troubled(doctor(api)) == {("api", "east")}, "the end is noticed", 60)
    # The cell that is gone is examined without a manager.
    assert [one[0] for one in doctor(east).found if one[0] != SOON] == ["manager_down"]


@pytest.fixture
def started() -> Iterator[Callable[[Tree], Tree]]:
    trees: list[Tree] = []

    def start(tree: Tree) -> Tree:
        trees.append(tree)
        return tree.start()

    yield start
    for tree in trees:
        tree.stop()


@pytest.mark.rabbitmq
def test_direct_links(started: Callable[[Tree], Tree], rabbitmq: VirtualHostPool, tmp_path: Path) -> None:
    check_a_tree(started(Tree(tmp_path, SHAPE, rabbitmq.take, links="direct")))


def test_cells_without_a_broker(started: Callable[[Tree], Tree], tmp_path: Path) -> None:
    transports: Transports = ZmqTransports(tmp_path / "s")
    check_a_tree(started(Tree(tmp_path / "t", SHAPE, transports.take)))

"""Neighbors that an operator adds, changes and deletes while the managers run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.free_ports import free_ports
from tools.manager_process import Finished
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

NEVER = 100_000


class Changing:
    """Unregistered parent and child, and their way to learn about changes."""

    def __init__(self, tree: Tree, sends_hup: bool) -> None:
        self._sends_hup = sends_hup
        self.api, self.east = tree

    def change(self, *arguments: str) -> None:
        """Run ``cells neighbor`` for both, and notify them if they need it."""
        self.api.succeed("neighbor", *arguments)
        if self._sends_hup:
            self.api.hup()

    def call(self) -> Finished:
        return self.api.cells("call", "east", "ping", "--timeout", "3")


@pytest.fixture(params=[pytest.param(False, id="by-interval"), pytest.param(True, id="by-sighup")])
def changing(request: pytest.FixtureRequest, tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[Changing]:
    interval = NEVER if request.param else 1
    tree = Tree(
        tmp_path,
        {"api": {}, "east": {}},
        rabbitmq.take,
        cell_options={"api": {"cells": {"db_check_interval": interval}}},
    )
    try:
        for manager in tree:
            manager.sync_database()
            manager.start()
        for manager in tree:
            manager.wait_ready()
        yield Changing(tree, request.param)
    finally:
        tree.stop()


def test_changes_are_picked_up_without_restart(changing: Changing) -> None:
    api, east = changing.api, changing.east
    east.add_neighbor("api", "parent", api.transport_url)
    # The first answer to a local client opens a permanent connection.
    api.status()
    connections_before = len(api.connections())

    changing.change("create", "east", "--type", "child", "--transport-url", east.transport_url)
    poll(lambda: changing.call().returncode == 0, "the new neighbor answers")

    [port] = free_ports(1)
    changing.change("set", "east", "--transport-url", f"rabbit://guest:guest@127.0.0.1:{port}/")
    poll(lambda: "east" in failure_of(changing.call()), "the neighbor is looked for where it is not")

    changing.change("set", "east", "--transport-url", east.transport_url)
    poll(lambda: changing.call().returncode == 0, "the neighbor answers again")

    changing.change("delete", "east")
    poll(lambda: "CellNotFound" in changing.call().stderr or "no cell" in changing.call().stderr.lower(), "it is gone")
    poll(lambda: len(api.connections()) <= connections_before, "the connections to it are closed")


def failure_of(done: Finished) -> str:
    return done.stderr if done.returncode else ""

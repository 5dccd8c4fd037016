"""Database of a cell that is down at start or later: the last known neighbors keep working."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import servers
from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.forwarder import Forwarder
from tools.manager_process import READY
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]


@pytest.fixture
def database_url() -> Iterator[str]:
    """Tree without neighbors; each test registers its own."""
    with servers.fresh_database(servers.POSTGRESQL_URL) as url:
        yield url


@pytest.fixture
def forwarder(database_url: str) -> Iterator[Forwarder]:
    parts = urllib.parse.urlsplit(database_url)
    forwarder = Forwarder(parts.hostname or "127.0.0.1", parts.port or 5432)
    try:
        yield forwarder
    finally:
        forwarder.cut()


@pytest.fixture
def tree(tmp_path: Path, rabbitmq: VirtualHostPool, database_url: str, forwarder: Forwarder) -> Iterator[Tree]:
    """Tree whose cell api has its database behind the forwarder."""
    parts = urllib.parse.urlsplit(database_url)
    login = parts.netloc.rpartition("@")[0]
    netloc = f"{login}@127.0.0.1:{forwarder.port}" if login else f"127.0.0.1:{forwarder.port}"
    tree = Tree(
        tmp_path,
        {"api": {"east": {}}},
        rabbitmq.take,
        connections={"api": parts._replace(netloc=netloc).geturl()},
        options={"cells": {"db_check_interval": 1}},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


def test_last_known_neighbors_outlive_their_database(tree: Tree, forwarder: Forwarder) -> None:
    api = tree["api"]
    before = len(api.log())
    forwarder.cut()
    poll(lambda: "database" in api.log()[before:].lower(), "the manager has noticed")
    api.succeed("call", "east", "ping")
    assert "Traceback" not in api.log()

    forwarder.restore()
    api.succeed("neighbor", "delete", "east")
    poll(lambda: api.cells("call", "east", "ping").returncode == 2, "changes are picked up again")


def test_a_manager_serves_only_when_it_has_read_its_neighbors(tree: Tree, forwarder: Forwarder) -> None:
    """Case C2."""
    api, east = tree["api"], tree["east"]
    assert api.terminate() == 0
    forwarder.cut()
    before, ready = len(api.log()), api.log().count(READY)
    api.start()
    waiting = east.begin("call", "api", "ping", "--timeout", "50")
    poll(lambda: "neighbors cannot be loaded" in api.log()[before:], "the manager says that it waits")
    assert api.log().count(READY) == ready
    forwarder.restore()
    api.wait_ready()
    assert waiting(60).returncode == 0
    assert api.log()[before:].count("neighbors cannot be loaded") == 1
    assert "Traceback" not in api.log()


def test_a_manager_that_waits_for_its_database_can_be_stopped(tree: Tree, forwarder: Forwarder) -> None:
    """Case C2."""
    api = tree["api"]
    assert api.terminate() == 0
    forwarder.cut()
    before = len(api.log())
    api.start()
    poll(lambda: "neighbors cannot be loaded" in api.log()[before:], "the manager says that it waits")
    assert api.terminate() == 0

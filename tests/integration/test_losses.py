"""The counts of lost messages of a real manager, across kill -9 (case C1)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.integration.clients import ConnectTo
from tests.integration.processes import Tree
from tools.broker_node import BrokerNode
from tools.forwarder import Forwarder
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]

CASTS = 5


@pytest.fixture
def path(own_broker: BrokerNode) -> Iterator[Forwarder]:
    """The path to the broker of east."""
    broker = urlsplit(own_broker.url("a"))
    forwarder = Forwarder(broker.hostname or "", broker.port or 5672)
    yield forwarder
    forwarder.close()


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory, own_broker: BrokerNode, path: Forwarder) -> Iterator[Tree]:
    """Tree whose manager of api gives no message up while the broker of east hangs."""
    broker = urlsplit(own_broker.url("a"))
    east = broker._replace(netloc=f"{broker.username}:{broker.password}@127.0.0.1:{path.port}").geturl()
    options = {"cells": {"send_timeout": 120, "announce_interval": 600}}
    directory = tmp_path_factory.mktemp("losses")
    tree = Tree(directory, {"api": {"east": {}}}, lambda: own_broker.url("b"), urls={"east": east}, options=options)
    try:
        yield tree.start()
    finally:
        tree.stop()


def losses(tree: Tree) -> dict[str, int]:
    found: dict[str, int] = tree["api"].status()["losses"]
    return found


def test_messages_that_a_killed_manager_had_accepted_are_counted_and_told(
    tree: Tree, path: Forwarder, connect_to: ConnectTo
) -> None:
    api, client = tree["api"], connect_to(tree["api"])
    assert losses(tree) == {}
    path.stall()
    try:
        for _ in range(CASTS):
            client.cast({}, "api!east", "no_such_method")
        poll(lambda: losses(tree).get("east.cast.in_flight") == CASTS, "the casts wait for the broker of east")
        api.kill9()
        api.start().wait_ready()
    finally:
        path.resume()
    # The first of them was on its way, the others surely did not arrive; the file does not tell them apart.
    assert losses(tree)["east.cast.killed.may_have_arrived"] == CASTS
    assert f"{CASTS} cast (east)" in api.log()
    poll(lambda: api.cells("call", "api!east", "ping").returncode == 0, "east is reached again", 60)
    assert losses(tree).get("east.cast.in_flight", 0) == 0

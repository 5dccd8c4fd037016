"""A broker that refuses one message for its size: that message fails, and no other one (case C6)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells import exceptions, rpc
from cells.transport import open_transport
from cells.transport.server import PromptServer
from tests.integration.clients import ConnectTo
from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.broker_node import BrokerNode

pytestmark = pytest.mark.rabbitmq

MAX_MESSAGE_SIZE = 200_000
SIZE = 300_000
SMALL_CALLS = 160


@pytest.fixture(scope="module")
def tree(
    tmp_path_factory: pytest.TempPathFactory,
    rabbitmq: VirtualHostPool,
    own_broker: BrokerNode,  # skips where no node can run
) -> Iterator[Tree]:
    directory: Path = tmp_path_factory.mktemp("refused")
    with BrokerNode(directory / "node", ["e"], settings=[f"max_message_size = {MAX_MESSAGE_SIZE}"]) as node:
        options = {"cells": {"allowed_services": "*"}}
        tree = Tree(directory, {"api": {"east": {}}}, rabbitmq.take, urls={"east": node.url("e")}, options=options)
        try:
            yield tree.start()
        finally:
            tree.stop()


def test_a_message_that_is_too_large_fails_alone(tree: Tree, connect_to: ConnectTo) -> None:
    api = connect_to(tree["api"])

    def call(number: int) -> str:
        try:
            # No endpoint takes the argument; the message does not get that far.
            api.call({}, "api!east", "ping", {"text": "x" * SIZE} if number == SMALL_CALLS // 2 else {})
        except exceptions.CellsError as error:
            return type(error).__name__.removesuffix("_Remote")
        return "answered"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(call, range(SMALL_CALLS)))
    assert outcomes.pop(SMALL_CALLS // 2) == "MessageTooLarge"
    assert set(outcomes) == {"answered"}
    assert '"state": "up"' in tree["api"].cells("neighbor", "status", "-f", "json").stdout


class Large:
    """Endpoint of a service in api."""

    def text(self, ctxt: dict[str, object], size: int) -> str:  # oslo's signature
        return "x" * size


def test_an_answer_that_is_too_large_becomes_an_error(tree: Tree) -> None:
    at_api = open_transport(cells_conf.load([tree["api"].config_file]))
    at_east = open_transport(cells_conf.load([tree["east"].config_file]))
    server = oslo_messaging.get_rpc_server(
        at_api, oslo_messaging.Target(topic="large", server="1"), [Large()], server_cls=PromptServer
    )
    server.start()
    try:
        client = rpc.RPCClient(at_east, oslo_messaging.Target(topic="large"), timeout=60).prepare(cell="api")
        assert client.call({}, "text", size=1) == "x"
        with pytest.raises(exceptions.MessageTooLarge):
            client.call({}, "text", size=SIZE)
        assert client.call({}, "text", size=1) == "x"
    finally:
        server.stop()
        server.wait()
        at_api.cleanup()
        at_east.cleanup()

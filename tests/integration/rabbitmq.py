"""RabbitMQ for the integration tests: virtual hosts on the machine's node, and separate nodes.

The machine's node gets virtual hosts with random names and is otherwise left alone:
it may serve other purposes.  To stop, start or freeze a node, a test uses a
:class:`~tools.broker_node.BrokerNode`.
"""

from __future__ import annotations

import contextlib
import os
import urllib.parse
from collections.abc import Iterator

import pytest

from tools import broker_node, virtual_hosts
from tools.broker_node import BrokerNode

URL = os.environ.get("CELLS_TEST_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")
BATCH = 16


class VirtualHostPool:
    """Source of transport URLs of unused virtual hosts.

    It creates many virtual hosts with one command, which takes no longer than a single one.
    """

    def __init__(self, hosts: virtual_hosts.VirtualHosts) -> None:
        self._hosts = hosts
        self._free: list[str] = []

    def take(self) -> str:
        """Return the transport URL of an unused virtual host."""
        if not self._free:
            self._free = self._hosts.create(BATCH)
        return self._free.pop()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[VirtualHostPool]:
    """RabbitMQ of this machine."""
    hosts = virtual_hosts.VirtualHosts(URL)
    try:
        virtual_hosts.check_reachable([URL])
        pool = VirtualHostPool(hosts)
        pool.take()
    except virtual_hosts.BrokerError as error:
        # A creation that timed out has created some of them.
        with contextlib.suppress(virtual_hosts.BrokerError):
            hosts.delete()
        pytest.skip(f"no RabbitMQ: {error}")
    try:
        yield pool
    finally:
        hosts.delete()


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerNode]:
    """Node with the virtual hosts a, b, c and d, for all tests of a file."""
    if not broker_node.is_installed():
        pytest.skip("no programs rabbitmq-server and rabbitmqctl")
    with BrokerNode(tmp_path_factory.mktemp("rabbitmq"), ["a", "b", "c", "d"], schedulers=1) as broker:
        yield broker


def amqp_url(transport_url: str) -> str:
    """Return the URL in kombu's form, for tests that publish without the code of this project."""
    return urllib.parse.urlsplit(transport_url)._replace(scheme="amqp").geturl()

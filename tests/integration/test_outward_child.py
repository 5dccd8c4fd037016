"""A child that can only open connections outward takes part in everything over its direct link."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.integration.loaded_tree import LoadedTree
from tests.integration.outward_network import OutwardNetwork, outward_network
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import ZmqTransports
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.long, pytest.mark.timeout(400)]

PORT = 5680
CHILD = "az1"
PARENT = "east"
#: The link is down for so long.
CUT_SECONDS = 30.0
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


@pytest.fixture(scope="module")
def network() -> Iterator[OutwardNetwork]:
    with outward_network(PORT) as found:
        yield found


@pytest.fixture(scope="module")
def tree(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool, network: OutwardNetwork
) -> Iterator[LoadedTree]:
    """Tree whose cell CHILD runs inside; its services use no broker, because that of the machine is outside."""
    # Sockets in files need no network, and short paths.
    sockets = tmp_path_factory.mktemp("s")
    loaded = LoadedTree(
        tmp_path_factory.mktemp("outward"),
        rabbitmq,
        links="direct",
        urls={CHILD: ZmqTransports(sockets).take()},
        listen={PARENT: f"{network.address}:{PORT}", CHILD: f"{network.inside_address}:{PORT}"},
        prefixes={CHILD: network.prefix},
    )
    with loaded.started():
        yield loaded


def connect_from_inside(network: OutwardNetwork, address: str) -> bool:
    command = [*network.prefix, sys.executable, "-c", CONNECT, address, str(PORT)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_no_connection_can_be_opened_to_the_child(tree: LoadedTree, network: OutwardNetwork) -> None:
    assert tree[CHILD].running.poll() is None
    # The child listens, and its packets do find their way.
    assert connect_from_inside(network, network.inside_address)
    assert connect_from_inside(network, network.address)
    with pytest.raises(TimeoutError):
        socket.create_connection((network.inside_address, PORT), timeout=1.0)


def test_every_operation_arrives_once(tree: LoadedTree) -> None:
    with tree.load(loses_nothing=True, fails_nothing=True):
        pass


@pytest.mark.parametrize("name", [CHILD, PARENT])
def test_a_restart_of_either_side_loses_nothing(tree: LoadedTree, name: str) -> None:
    with tree.load(loses_nothing=True):
        assert tree[name].terminate() == 0
        tree.restart(name)


@pytest.mark.parametrize("name", [CHILD, PARENT])
def test_a_kill_of_either_side_loses_nothing_in_silence(tree: LoadedTree, name: str) -> None:
    with tree.load():
        tree[name].kill9()
        tree.restart(name)


def test_half_a_minute_without_a_link(tree: LoadedTree, network: OutwardNetwork) -> None:
    with tree.load():
        network.cut()
        cut_at = time.monotonic()
        poll(lambda: time.monotonic() - cut_at > CUT_SECONDS, "the link is down for long enough", 2 * CUT_SECONDS)
        network.restore()
        poll(lambda: tree["api"].cells("ping", CHILD, "--count", "1").returncode == 0, "the child is reached again")
    with tree.load(loses_nothing=True, fails_nothing=True):
        pass

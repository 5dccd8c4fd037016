"""The transports on which trees of real managers run: RabbitMQ, and zmq, which needs no server.

A test that takes the fixture ``transports`` runs on each of them.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import kombu
import pytest

from cells.brokerless import ipc
from tests.integration.rabbitmq import VirtualHostPool, amqp_url


class CellTransport(NamedTuple):
    """What one cell has instead of all other cells' transports."""

    url: str  #: in the cell's own configuration
    neighbor_url: str  #: in the databases of its neighbours
    options: Mapping[str, Mapping[str, object]]  #: further options of its managers


class Transports(abc.ABC):
    """Gives each cell a transport."""

    @abc.abstractmethod
    def take(self) -> CellTransport:
        """One that nobody has used before."""

    @abc.abstractmethod
    def consumers(self, taken: CellTransport) -> int:
        """How many managers take targeted messages there."""


class RabbitMQTransports(Transports):
    """A virtual host for each cell."""

    def __init__(self, pool: VirtualHostPool) -> None:
        self._pool = pool

    def take(self) -> CellTransport:
        url = self._pool.take()
        return CellTransport(url, url, {})

    def consumers(self, taken: CellTransport) -> int:
        with kombu.Connection(amqp_url(taken.url)) as connection:
            declared = connection.default_channel.queue_declare("cells.intercell.targeted", passive=True)
            return int(declared.consumer_count)


class ZmqTransports(Transports):
    """A directory of sockets for each cell, whose servers register in the cell's own database."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def take(self) -> CellTransport:
        sockets = self._directory / str(next(self._numbers))
        return CellTransport("zmq:///", f"zmq+ipc://{sockets}", {"oslo_messaging_zmq": {"ipc_dir": sockets}})

    def consumers(self, taken: CellTransport) -> int:
        return sum(_listens(path) for path in ipc.live_sockets(Path(taken.neighbor_url.removeprefix("zmq+ipc://"))))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knocking, contextlib.suppress(OSError):
        knocking.connect(str(path))
        return True
    return False


@pytest.fixture(scope="module", params=[pytest.param("rabbitmq", marks=pytest.mark.rabbitmq), "zmq"])
def transports(request: pytest.FixtureRequest) -> Iterator[Transports]:
    """Each of them in turn."""
    if request.param == "rabbitmq":
        yield RabbitMQTransports(request.getfixturevalue("rabbitmq"))
        return
    # A short path: that of a socket has room for 100 characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        yield ZmqTransports(Path(directory))

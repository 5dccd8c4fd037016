"""Transports for trees of real managers: RabbitMQ, and zmq, which needs no server.

A test with the fixture ``transports`` runs on each transport.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import kombu
import pytest
import zmq

from cells.brokerless import frames, ipc, routing_keys
from tests.integration.garbage import TYPES, Broken, without_envelope
from tests.integration.rabbitmq import VirtualHostPool, amqp_url
from tools.direct_links import Links
from tools.polling import poll

#: [cells] rpc_driver_queue_base
QUEUE_BASE = "cells.intercell"


class CellTransport(NamedTuple):
    """Transport of one cell."""

    url: str  #: for the cell's own configuration
    neighbor_url: str  #: for the databases of its neighbors
    options: Mapping[str, Mapping[str, object]]  #: further options of its managers


class Transports(abc.ABC):
    """Source of transports for cells."""

    @abc.abstractmethod
    def take(self) -> CellTransport:
        """Return an unused transport."""

    @abc.abstractmethod
    def consumers(self, taken: CellTransport) -> int:
        """Return the number of managers that receive targeted messages there."""

    @abc.abstractmethod
    def publish(self, taken: CellTransport, messages: Iterable[Broken]) -> None:
        """Send raw messages without the checks of this project, and wait until they are received."""


class RabbitMQTransports(Transports):
    """RabbitMQ, with a virtual host for each cell."""

    def __init__(self, pool: VirtualHostPool) -> None:
        self._pool = pool

    def take(self) -> CellTransport:
        url = self._pool.take()
        return CellTransport(url, url, {})

    def consumers(self, taken: CellTransport) -> int:
        with kombu.Connection(amqp_url(taken.url)) as connection:
            declared = connection.default_channel.queue_declare("cells.intercell.targeted", passive=True)
            return int(declared.consumer_count)

    def publish(self, taken: CellTransport, messages: Iterable[Broken]) -> None:
        with kombu.Connection(amqp_url(taken.url)) as connection, connection.channel() as channel:
            for broken in messages:
                message = channel.prepare_message(
                    broken.body, content_type=broken.content_type, content_encoding="utf-8", properties={}
                )
                # The default exchange reaches a queue by its name, with any [DEFAULT] control_exchange.
                channel.basic_publish(message, exchange="", routing_key=f"{QUEUE_BASE}.{broken.topic_type}")

            def waiting() -> int:
                queues = [f"{QUEUE_BASE}.{topic_type}" for topic_type in TYPES]
                return sum(channel.queue_declare(queue, passive=True).message_count for queue in queues)

            poll(lambda: waiting() == 0, "all are taken", timeout_seconds=60)


class ZmqTransports(Transports):
    """zmq, with a directory of sockets for each cell; servers register in the database of the cell."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def take(self) -> CellTransport:
        sockets = self._directory / str(next(self._numbers))
        return CellTransport("zmq:///", f"zmq+ipc://{sockets}", {"oslo_messaging_zmq": {"ipc_dir": sockets}})

    def consumers(self, taken: CellTransport) -> int:
        return len(self.sockets(taken))

    def sockets(self, taken: CellTransport) -> list[Path]:
        """Return the sockets with a listener."""
        return [path for path in ipc.live_sockets(_directory(taken)) if _listens(path)]

    def publish(self, taken: CellTransport, messages: Iterable[Broken]) -> None:
        messages = list(messages)
        # Services of the cell may have sockets there, too; they refuse messages for other servers.
        for path in self.sockets(taken):
            _send_all(path, messages)


def _send_all(path: Path, messages: Iterable[Broken]) -> None:
    with connected(path) as socket:
        for number, broken in enumerate(messages):
            key = routing_keys.topic_key("openstack", f"{QUEUE_BASE}.{broken.topic_type}")
            message_id = f"broken {number}".encode()
            body = without_envelope(broken.body)
            socket.send_multipart(frames.Request(frames.CAST, message_id, key, "", body).to_frames())
            while frames.read_answer(socket.recv_multipart()).message_id != message_id:
                pass


@contextlib.contextmanager
def connected(path: Path) -> Iterator[zmq.Socket[bytes]]:
    """Open a raw connection of a peer; each wait on it has a timeout of 30 s."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 30_000)
        socket.setsockopt(zmq.SNDTIMEO, 30_000)
        socket.connect(f"ipc://{path}")
        yield socket


def _directory(taken: CellTransport) -> Path:
    return Path(taken.neighbor_url.removeprefix("zmq+ipc://"))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knocking, contextlib.suppress(OSError):
        knocking.connect(str(path))
        return True
    return False


class Linked(NamedTuple):
    """Transport of the cells of a tree, and the driver of the links between them."""

    transports: Transports
    links: Links


@contextlib.contextmanager
def _opened(name: str, request: pytest.FixtureRequest) -> Iterator[Transports]:
    if name == "rabbitmq":
        yield RabbitMQTransports(request.getfixturevalue("rabbitmq"))
        return
    # A short path, because the path of a socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        yield ZmqTransports(Path(directory))


@pytest.fixture(scope="module", params=[pytest.param("rabbitmq", marks=pytest.mark.rabbitmq), "zmq"])
def transports(request: pytest.FixtureRequest) -> Iterator[Transports]:
    """Each transport in turn."""
    with _opened(request.param, request) as found:
        yield found


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("rabbitmq", "rpc"), marks=pytest.mark.rabbitmq, id="rabbitmq"),
        pytest.param(("zmq", "rpc"), id="zmq"),
        pytest.param(("rabbitmq", "direct"), marks=pytest.mark.rabbitmq, id="direct"),
    ],
)
def linked(request: pytest.FixtureRequest) -> Iterator[Linked]:
    """Each kind of links in turn: over each transport, and direct links between cells on RabbitMQ."""
    name, links = request.param
    with _opened(name, request) as found:
        yield Linked(found, links)

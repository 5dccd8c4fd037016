"""URLs of the zmq transport under test: each way to name a peer.

Servers of one process share its socket.  Most of these configurations give each server a socket of its own, as if
it ran in another process.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells.brokerless.keys import KeyStore
from cells.db import migration
from tests.contract.transport_bus import Place
from tools.free_ports import free_ports

GROUP = "oslo_messaging_zmq"
#: A server whose registration expires on a busy machine gets no fan-out.
OPTIONS: dict[str, Any] = {"matchmaker_heartbeat_freq": 1, "matchmaker_heartbeat_ttl": 60, "delivery_timeout": 5.0}
PORTS = 8


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, from which tests make copies."""
    database = tmp_path_factory.mktemp("database") / "cells.sqlite"
    conf = cells_conf.load([])
    conf.set_override("connection", f"sqlite:///{database}", group="database")
    migration.sync(conf)
    return database


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short path: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cells-") as path:
        yield Path(path)


def registry(directory: Path, migrated: Path, *, apart: bool) -> Place:
    """``zmq:///``: servers register in a database.

    :param apart: whether each server has its own socket
    """
    database = directory / "cells.sqlite"
    shutil.copy(migrated, database)
    numbers = itertools.count()

    def configure(conf: cfg.ConfigOpts) -> None:
        set_options(conf, ipc_dir=str(directory / "sockets"))
        conf.set_override("connection", f"sqlite:///{database}", group="database")

    def server(conf: cfg.ConfigOpts) -> str:
        if apart:
            # The server registers the whole path, so clients find it despite another ipc_dir.
            set_options(conf, ipc_dir=str(directory / f"sockets-{next(numbers)}"))
        return "zmq:///"

    return place(server, "zmq:///", directory, configure)


def sockets(directory: Path) -> Place:
    """``zmq+ipc:///directory``: all processes with a socket in the directory are asked."""
    numbers = itertools.count()

    def server(conf: cfg.ConfigOpts) -> str:
        # Servers with the same registry share a socket: this registry belongs to one server.
        set_options(
            conf, ipc_dir=str(directory / "ipc"), matchmaker="localhost", matchmaker_connection=f"{next(numbers)}"
        )
        return "zmq:///"

    return place(server, f"zmq+ipc://{directory}/ipc", directory, set_options)


def addresses(directory: Path) -> Place:
    """``zmq://127.0.0.1:port,127.0.0.1:port/``: all processes at the addresses are asked."""
    ports = free_ports(PORTS)
    query = "/?tcp_security=none"
    numbers = itertools.count()

    def server(conf: cfg.ConfigOpts) -> str:
        return f"zmq://127.0.0.1:{ports[next(numbers) % len(ports)]}{query}"

    client_url = "zmq://" + ",".join(f"127.0.0.1:{port}" for port in ports) + query
    return place(server, client_url, directory, set_options)


def encrypted_addresses(directory: Path) -> Place:
    """``zmq://127.0.0.1:port,127.0.0.1:port/?peer=east``: each side has the other's key."""
    ports = free_ports(PORTS)
    numbers = itertools.count()
    own, peer = KeyStore(directory / "east"), KeyStore(directory / "api")
    own_key, peer_key = own.create(), peer.create()
    own.add("api", peer_key)
    peer.add("east", own_key)

    def server(conf: cfg.ConfigOpts) -> str:
        set_options(conf, keys_dir=str(directory / "east"), neighbor_topics=["*"])
        return f"zmq://127.0.0.1:{ports[next(numbers) % len(ports)]}/"

    client_url = "zmq://" + ",".join(f"127.0.0.1:{port}" for port in ports) + "/?peer=east"
    return place(server, client_url, directory, lambda conf: set_options(conf, keys_dir=str(directory / "api")))


def place(
    server: Callable[[cfg.ConfigOpts], str], client_url: str, directory: Path, configure: Callable[..., None]
) -> Place:
    (port,) = free_ports(1)
    return Place(
        server=server,
        client_url=client_url,
        unreachable_url=f"zmq://127.0.0.1:{port}/?tcp_security=none",
        no_answer=oslo_messaging.MessageDeliveryFailure,
        unreachable=oslo_messaging.MessageDeliveryFailure,
        closed=oslo_messaging.MessageDeliveryFailure,
        configure=configure,
    )


def set_options(conf: cfg.ConfigOpts, **options: Any) -> None:
    for name, value in {**OPTIONS, **options}.items():
        conf.set_override(name, value, group=GROUP)

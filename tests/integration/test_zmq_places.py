"""Contract suite of the transport zmq with all forms of addresses, without a server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells.db import migration
from cells.drivers.rpc import CellsRPCDriver
from tests.contract.brokerless import BrokerlessContract
from tests.contract.notifications import NotificationContract, PoolContract
from tests.contract.rpc import RPCContract
from tests.contract.rpc_failures import CallMonitorContract, RPCFailureContract
from tests.contract.rpc_servers import RPCServerContract
from tests.contract.suite import Bus, DriverContract
from tests.contract.suite import opened as opened_driver
from tests.contract.transport_bus import TransportBus, opened
from tests.contract.zmq_places import addresses, directory, encrypted_addresses, migrated, registry, sockets
from tools.free_ports import free_ports

__all__ = ["directory", "migrated"]


class TestRegistry(RPCFailureContract, RPCServerContract, NotificationContract, PoolContract):
    """Each server has a separate socket; the functional tests have the rest of the suite."""

    @pytest.fixture
    def bus(self, directory: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(registry(directory, migrated, apart=True), monkeypatch)


class TestRegistryOfOneProcess(RPCContract, PoolContract, CallMonitorContract):
    """All servers share one socket."""

    @pytest.fixture
    def bus(self, directory: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(registry(directory, migrated, apart=False), monkeypatch)


class TestDirectory(RPCContract, RPCServerContract, BrokerlessContract):
    """Each server has a separate socket in a directory."""

    @pytest.fixture
    def bus(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(sockets(directory), monkeypatch)


class TestAddresses(RPCContract, RPCServerContract, NotificationContract, BrokerlessContract):
    """Each server has a separate address; most addresses that clients know have no server.

    Pools of listeners at several addresses need a registry: a client with addresses only does not know the pools.
    """

    @pytest.fixture
    def bus(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(addresses(directory), monkeypatch)


class TestEncryptedAddresses(RPCContract):
    """Addresses with keys."""

    @pytest.fixture
    def bus(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(encrypted_addresses(directory), monkeypatch)


class TestRPCDriverOverSockets(DriverContract):
    """Driver over zmq on one machine: servers by their registry, neighbors by their directory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        # A short path, because the path of a socket is limited to about 100 characters.
        with tempfile.TemporaryDirectory(prefix="cells-") as directory:
            conf = cells_conf.load([])
            conf.set_override("connection", f"sqlite:///{directory}/cells.sqlite", group="database")
            conf.set_override("ipc_dir", f"{directory}/sockets", group="oslo_messaging_zmq")
            migration.sync(conf)
            yield from opened_driver(
                Bus(
                    CellsRPCDriver,
                    "rpc",
                    f"zmq+ipc://{directory}/sockets",
                    f"zmq+ipc://{directory}/nowhere",
                    own_url="zmq:///",
                    conf=conf,
                )
            )


class TestRPCDriverOverTCP(DriverContract):
    """Driver over zmq between machines, without keys."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        port, unused = free_ports(2)
        query = "/?tcp_security=none"
        yield from opened_driver(
            Bus(CellsRPCDriver, "rpc", f"zmq://127.0.0.1:{port}{query}", f"zmq://127.0.0.1:{unused}{query}")
        )

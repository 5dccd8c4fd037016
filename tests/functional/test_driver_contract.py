"""The drivers ``memory`` and, without a broker, ``rpc`` keep the contract of a driver."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator

import pytest

from cells import conf as cells_conf
from cells.db import migration
from cells.drivers.memory import MemoryDriver
from cells.drivers.rpc import CellsRPCDriver
from tests.contract.suite import Bus, DriverContract, opened


class TestMemoryDriver(DriverContract):
    """Over memory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        name = secrets.token_hex(8)
        yield from opened(Bus(MemoryDriver, "memory", f"memory://{name}/target", f"memory://{name}/nowhere"))


class TestRPCDriverOverSockets(DriverContract):
    """Over zmq as the cells of one machine use it: the cell by its registry, its neighbours by its directory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        # A short path: that of a socket has room for 100 characters.
        with tempfile.TemporaryDirectory(prefix="cells-") as directory:
            conf = cells_conf.load([])
            conf.set_override("connection", f"sqlite:///{directory}/cells.sqlite", group="database")
            conf.set_override("ipc_dir", f"{directory}/sockets", group="oslo_messaging_zmq")
            migration.sync(conf)
            yield from opened(
                Bus(
                    CellsRPCDriver,
                    "rpc",
                    f"zmq+ipc://{directory}/sockets",
                    f"zmq+ipc://{directory}/nowhere",
                    own_url="zmq:///",
                    conf=conf,
                )
            )

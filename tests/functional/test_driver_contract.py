"""The drivers that need no broker keep the contract of a driver; RabbitMQ is in tests/integration."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator

import pytest

from cells.drivers.memory import MemoryDriver
from cells.drivers.rpc import CellsRPCDriver
from tests.contract.suite import Bus, DriverContract, opened


class TestMemoryDriver(DriverContract):
    """Over memory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        name = secrets.token_hex(8)
        yield from opened(Bus(MemoryDriver, "memory", f"memory://{name}/target", f"memory://{name}/nowhere"))


class TestRPCDriverWithoutBroker(DriverContract):
    """Over the project's own transport: each manager has an address of its own."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        # The path of a socket must be short.
        with tempfile.TemporaryDirectory(prefix="cells-", dir="/tmp") as directory:
            url = f"zmq+ipc://{directory}"
            yield from opened(Bus(CellsRPCDriver, "rpc", f"{url}/target", f"{url}/nowhere"))

"""Contract suite of the drivers without a broker; tests/integration runs it on RabbitMQ."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator

import pytest

from cells.drivers.memory import MemoryDriver
from cells.drivers.rpc import CellsRPCDriver
from tests.contract.suite import Bus, DriverContract, opened


class TestMemoryDriver(DriverContract):
    """Driver over memory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        name = secrets.token_hex(8)
        yield from opened(Bus(MemoryDriver, "memory", f"memory://{name}/target", f"memory://{name}/nowhere"))


class TestRPCDriverWithoutBroker(DriverContract):
    """Driver over the brokerless transport: each manager has a separate address."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        # The path of a socket is limited to about 100 characters.
        with tempfile.TemporaryDirectory(prefix="cells-", dir="/tmp") as directory:
            url = f"zmq+ipc://{directory}"
            yield from opened(Bus(CellsRPCDriver, "rpc", f"{url}/target", f"{url}/nowhere"))

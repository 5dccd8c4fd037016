"""Contract suite of the driver ``rpc`` on RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cells.drivers.rpc import CellsRPCDriver
from tests.contract.suite import Bus, DriverContract, opened
from tests.integration.rabbitmq import VirtualHostPool
from tools.free_ports import free_ports

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def bus(rabbitmq: VirtualHostPool) -> Iterator[Bus]:
    (port,) = free_ports(1)
    yield from opened(Bus(CellsRPCDriver, "rpc", rabbitmq.take(), f"rabbit://guest:guest@127.0.0.1:{port}/"))


class TestRPCDriver(DriverContract):
    """Driver over RabbitMQ."""

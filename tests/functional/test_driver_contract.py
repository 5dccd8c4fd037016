"""The driver ``memory`` keeps the contract of a driver; those over a wire are in tests/integration."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from cells.drivers.memory import MemoryDriver
from tests.contract.suite import Bus, DriverContract, opened


class TestMemoryDriver(DriverContract):
    """Over memory."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        name = secrets.token_hex(8)
        yield from opened(Bus(MemoryDriver, "memory", f"memory://{name}/target", f"memory://{name}/nowhere"))

"""The transport zmq keeps the contract of a transport; no server is needed.

Calls and casts, over one of the ways to name a peer; tests/integration has the rest of it, and the other ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.brokerless import BrokerlessContract
from tests.contract.rpc import RPCContract
from tests.contract.transport_bus import TransportBus, opened
from tests.contract.zmq_places import directory, migrated, registry

__all__ = ["directory", "migrated"]


class TestRegistry(RPCContract, BrokerlessContract):
    """Each server on a socket of its own."""

    @pytest.fixture
    def bus(self, directory: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(registry(directory, migrated, apart=True), monkeypatch)

"""The transport zmq keeps the contract of a transport; no server is needed.

The whole of it runs over one of the ways to name a peer; tests/integration runs over the others those parts
that depend on how a peer is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.brokerless import BrokerlessContract
from tests.contract.notifications import PoolContract
from tests.contract.transport import TransportContract
from tests.contract.transport_bus import TransportBus, opened
from tests.contract.zmq_places import directory, migrated, registry

__all__ = ["directory", "migrated"]


class TestRegistry(TransportContract, PoolContract, BrokerlessContract):
    """Each server on a socket of its own."""

    @pytest.fixture
    def bus(self, directory: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(registry(directory, migrated, apart=True), monkeypatch)

"""Contract suite of the transport zmq, without a server.

Calls and casts, over one form of addresses; tests/integration has the rest of the suite and the other forms.
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
    """Each server has a separate socket."""

    @pytest.fixture
    def bus(self, directory: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
        yield from opened(registry(directory, migrated, apart=True), monkeypatch)

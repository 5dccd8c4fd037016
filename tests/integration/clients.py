"""Clients of a manager in the process of the tests, where a command per call would be too slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells.rpcapi import CellsAPI
from tools.manager_process import ManagerProcess
from tools.transports import connect

ConnectTo = Callable[[ManagerProcess], CellsAPI]


@pytest.fixture(scope="module")
def connect_to() -> Iterator[ConnectTo]:
    """Gives a client of the manager's cell; all of them are closed at the end."""
    transports = []

    def connect_client(manager: ManagerProcess) -> CellsAPI:
        transports.append(connect(manager.transport_url))
        return CellsAPI(transports[-1], timeout=15)

    try:
        yield connect_client
    finally:
        for transport in transports:
            transport.cleanup()

"""Clients of a manager in the process of the tests; a command per call would be too slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells import conf as cells_conf
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tools.manager_process import ManagerProcess

ConnectTo = Callable[[ManagerProcess], CellsAPI]


@pytest.fixture(scope="module")
def connect_to() -> Iterator[ConnectTo]:
    """Factory of clients of a manager's cell; closed at the end."""
    transports = []

    def connect_client(manager: ManagerProcess) -> CellsAPI:
        # Like every service of that cell: with the transport options of its configuration.
        transports.append(open_transport(cells_conf.load([manager.config_file]), None, ["cells.exceptions"]))
        return CellsAPI(transports[-1], timeout=15)

    try:
        yield connect_client
    finally:
        for transport in transports:
            transport.cleanup()

"""Directories for sockets, serving processes in miniature, and clients that keep no rules."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import router_socket
from tests.unit.brokerless.serving import RawClient, ServingProcess


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A directory of sockets; its path is short, as one of a socket has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cells-") as name:
        yield Path(name)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """For the client side."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def connect(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Callable[[str], RawClient]]:
    """Connects clients that keep no rules to an endpoint."""
    with contextlib.ExitStack() as connected:

        def connect(endpoint: str) -> RawClient:
            client = RawClient(context, endpoint)
            connected.callback(client.socket.close)
            return client

        yield connect


@pytest.fixture
def start_process(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ServingProcess]]:
    """Starts serving processes, and ends them at the end of the test."""
    with contextlib.ExitStack() as started:
        yield lambda: started.enter_context(contextlib.closing(ServingProcess(sockets)))
        # At the end of a test nobody reads answers any more.
        monkeypatch.setattr(router_socket, "READ_SECONDS", 0.0)


@pytest.fixture
def process(start_process: Callable[[], ServingProcess]) -> ServingProcess:
    """One that serves nothing yet."""
    return start_process()


@pytest.fixture
def raw_client(process: ServingProcess, connect: Callable[[str], RawClient]) -> RawClient:
    """A client of ``process``."""
    return connect(process.endpoint)

"""Socket directories, small serving processes, and clients that can send malformed messages."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import router_socket
from tests.clock import Clock
from tests.unit.brokerless.serving import Connect, RawClient, ServingProcess, Start


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A directory of sockets with a short path: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cells-") as name:
        yield Path(name)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """The context of the clients."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def connect(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Connect]:
    """Connects raw clients to an endpoint, and closes them after the test."""
    with contextlib.ExitStack() as connected:

        def connect(endpoint: str) -> RawClient:
            client = RawClient(context, endpoint)
            connected.callback(client.socket.close)
            return client

        yield connect


@pytest.fixture
def start_process(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts serving processes, and stops them after the test."""
    with contextlib.ExitStack() as started:
        yield lambda: started.enter_context(contextlib.closing(ServingProcess(sockets)))
        # After the test no client reads answers, so closing need not wait.
        monkeypatch.setattr(router_socket, "READ_SECONDS", 0.0)


@pytest.fixture
def process(start_process: Start) -> ServingProcess:
    """A process without listeners."""
    return start_process()


@pytest.fixture
def raw_client(process: ServingProcess, connect: Connect) -> RawClient:
    """A client of ``process``."""
    return connect(process.endpoint)

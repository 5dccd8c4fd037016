"""Brokerless oslo.messaging transports, and servers on them that stop at once."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.server import PromptServer

MakeTransport = Callable[..., Any]
Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # Not tmp_path: the path of a socket is limited to about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        yield f"zmq+ipc://{directory}/1"


@pytest.fixture
def make_transport(url: str) -> Iterator[MakeTransport]:
    """Factory of transports with the same URL."""
    with contextlib.ExitStack() as stack:

        def make(exception_modules: Collection[str] = ()) -> Any:
            transport = open_transport(cells_conf.load([]), url, exception_modules)
            stack.callback(transport.cleanup)
            return transport

        yield make


@pytest.fixture
def serve(make_transport: MakeTransport) -> Iterator[Serve]:
    """Factory of plain oslo.messaging servers."""
    with contextlib.ExitStack() as stack:

        def start(topic: str, *endpoints: object, server: str = "server-1", exchange: str | None = None) -> Any:
            started = oslo_messaging.get_rpc_server(
                make_transport(),
                oslo_messaging.Target(topic=topic, server=server, exchange=exchange),
                list(endpoints),
                server_cls=PromptServer,
                access_policy=rpc_dispatcher.DefaultRPCAccessPolicy,
            )
            started.start()
            stack.callback(_stop, started)
            return started

        yield start


def _stop(server: Any) -> None:
    server.stop()
    waiting = threading.Thread(target=server.wait, daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive(), "A method of an endpoint still runs"

"""A transport of oslo.messaging that needs no broker, and servers on it that stop at once."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging.rpc import dispatcher as rpc_dispatcher
from oslo_messaging.rpc import server as rpc_server

from cells import conf as cells_conf
from cells.transport import open_transport

MakeTransport = Callable[..., Any]
Serve = Callable[..., Any]


class QuickServer(rpc_server.RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """The idle threads of oslo.messaging's own pool look once a second whether they should end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._executor_cls = futures.ThreadPoolExecutor


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # Not tmp_path: the path of a socket has room for a hundred characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        yield f"zmq+ipc://{directory}/1"


@pytest.fixture
def make_transport(url: str) -> Iterator[MakeTransport]:
    """Opens transports to one and the same place."""
    with contextlib.ExitStack() as stack:

        def make(exception_modules: Collection[str] = ()) -> Any:
            transport = open_transport(cells_conf.load([]), url, exception_modules)
            stack.callback(transport.cleanup)
            return transport

        yield make


@pytest.fixture
def serve(make_transport: MakeTransport) -> Iterator[Serve]:
    """Starts ordinary servers of oslo.messaging."""
    with contextlib.ExitStack() as stack:

        def start(topic: str, *endpoints: object, server: str = "server-1", exchange: str | None = None) -> Any:
            started = oslo_messaging.get_rpc_server(
                make_transport(),
                oslo_messaging.Target(topic=topic, server=server, exchange=exchange),
                list(endpoints),
                server_cls=QuickServer,
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

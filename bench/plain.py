"""A plain oslo.messaging call between two processes, over RabbitMQ or without a broker."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import oslo_messaging

from bench.plain_server import TOPIC
from tools.transports import connect


class PlainCall:
    """A server in its own process and a client that calls it; they run during the ``with`` block."""

    topic = TOPIC

    def __init__(self, url: str, state_path: Path | None = None) -> None:
        """:param state_path: directory for lock files, as for :func:`tools.transports.connect`"""
        self._url = url
        self._state_path = state_path

    def __enter__(self) -> PlainCall:
        with contextlib.ExitStack() as stack:
            self._serve(stack)
            transport = connect(self._url, self._state_path)
            stack.callback(transport.cleanup)
            self._close = stack.pop_all().close
        target = oslo_messaging.Target(topic=self.topic, version="1.0")
        self.client = oslo_messaging.get_rpc_client(transport, target, timeout=30)
        return self

    def _serve(self, stack: contextlib.ExitStack) -> None:
        """Start the server; ``stack`` stops it."""
        stack.enter_context(serving(self._url, self._state_path))

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self) -> None:
        """Make one call."""
        self.client.call({}, "ping")


@contextlib.contextmanager
def serving(url: str, state_path: Path | None = None) -> Iterator[None]:
    """Run a server on this transport, in its own process, during the block."""
    arguments = [url] if state_path is None else [url, str(state_path)]
    with running("bench.plain_server", *arguments):
        yield


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[None]:
    """Run a module in its own process during the block, from its line "ready" to the end of its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{module} does not start; see the output above.")
        yield
    finally:
        process.communicate()

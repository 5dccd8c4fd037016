"""Forwarder: a middlebox in front of a port, which a test can cut and freeze."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Forwarder:
    """Forwards connections to an address, with two threads per connection."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        #: bytes that have come while it was frozen
        self.held_bytes = 0

    def __enter__(self) -> Forwarder:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._flows.set()
        self.cut()

    def cut(self) -> None:
        """Break all connections, and lose the bytes that are on their way."""
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Carry no more bytes."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._server.accept()
                onward = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [accepted, onward]
            for source, target in ((accepted, onward), (onward, accepted)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._flows.is_set():
                    self.held_bytes += len(data)
                    self._flows.wait(60)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

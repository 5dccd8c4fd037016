"""Raw peers: connections to a manager that a test writes byte by byte, with and without the greeting."""

from __future__ import annotations

import contextlib
import socket
import ssl
import uuid
from typing import Protocol

from cells.drivers.direct import frames
from cells.drivers.direct.frames import Decoder, Welcome
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.trust import PROTOCOL
from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell

#: Bound of each wait for the manager.
TIMEOUT_SECONDS = 10.0


def context(cell: Cell | None = None) -> ssl.SSLContext:
    """Return the settings of a client that accepts every certificate; without ``cell`` it has none itself."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    found.set_alpn_protocols([PROTOCOL])
    if cell is not None:
        found.load_cert_chain(cell.certificate_file, cell.key_file)
    return found


class Addressed(Protocol):
    """A manager that listens."""

    @property
    def address(self) -> str: ...


def plain(manager: Addressed) -> socket.socket:
    """Return a connection without TLS."""
    host, _, port = manager.address.rpartition(":")
    return socket.create_connection((host, int(port)), TIMEOUT_SECONDS)


def is_closed_by(manager_end: socket.socket) -> bool:
    """Read until the manager ends the connection; return whether it does."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while manager_end.recv(65536):
            pass
    return True


class RawPeer:
    """A connection with the certificate of ``cell`` after the greeting, which speaks only for the test."""

    def __init__(self, manager: Manager, cell: Cell, *, heartbeat: float = 60.0, name: str = "") -> None:
        self.socket = context(cell).wrap_socket(plain(manager))
        hello = Hello(
            cell=name or cell.name, host="raw", incarnation=uuid.uuid4().hex, version="1.9", heartbeat=heartbeat
        )
        self.socket.sendall(hello.encode())
        self._decoder = Decoder()
        self._wait_for(frames.HELLO)
        self.socket.sendall(Welcome(1, 1, (0, 0, 0)).encode())
        self._wait_for(frames.WELCOME)

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _wait_for(self, kind: int) -> None:
        while True:
            data = self.socket.recv(65536)
            assert data, "The manager has closed the connection"
            if kind in [found for found, _ in self._decoder.feed(data)]:
                return

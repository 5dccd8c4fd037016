"""The HTTP server of ``cells-api``: cheroot, with bounds for slow clients and with errors in JSON."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from cheroot import errors, wsgi
from cheroot import server as cheroot_server
from cheroot.makefile import MakeFile

#: A connection without a request is closed after this time.
IDLE_SECONDS = 10
#: Time that the requests in progress have after a stop.
STOP_SECONDS = 10
#: Time that one request may wait for bytes of its client, and that its answer may wait for the client to read.
CLIENT_SECONDS = 10.0
#: Bytes of a refused body that are read and discarded, so that the client gets to reading the answer.
MAX_DISCARDED_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 64 * 1024


class Budget:
    """Time that a request and its answer may wait for the client; the work on the request does not count."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Begin the next request of the connection."""
        self._left = {"read": self._seconds, "write": self._seconds}

    def spend(self, sock: socket.socket, kind: str, wait: Callable[[], Any]) -> Any:
        """Return the result of ``wait``, which waits for ``sock``.

        :raises TimeoutError: the time is over
        """
        if self._left[kind] <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(self._left[kind])
        started_at = self._clock()
        try:
            return wait()
        finally:
            self._left[kind] -= self._clock() - started_at


class _BoundedSocket:
    """A socket whose waits have one budget."""

    def __init__(self, sock: socket.socket, budget: Budget) -> None:
        self._socket = sock
        self._budget = budget

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def recv_into(self, buffer: Any) -> int:
        """Read; called by the stream of the connection."""
        count: int = self._budget.spend(self._socket, "read", lambda: self._socket.recv_into(buffer))
        return count

    def send(self, data: bytes) -> int:
        """Write; called by the stream of the connection."""
        count: int = self._budget.spend(self._socket, "write", lambda: self._socket.send(data))
        return count


class _Request(cheroot_server.HTTPRequest):
    """A request whose early errors are JSON, and whose unread body is no part of the next request."""

    def send_headers(self) -> None:
        """Called by the base class before the answer."""
        if self.chunked_read:
            # The base class does not read the rest of such a body: it would take it for the next request.
            self.close_connection = True
        super().send_headers()

    def respond(self) -> None:
        """Answer; called by the base class when the head has been read."""
        super().respond()
        if self.status and int(self.status[:3]) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._discard_body()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer a request that does not reach the application; called by the base class."""
        found = HTTPStatus(int(str(status)[:3]))
        error = {"code": found.value, "title": found.phrase, "message": msg or found.description, "request_id": ""}
        text = json.dumps({"error": error})
        self.close_connection = True
        head = (
            f"{self.server.protocol} {found.value} {found.phrase}\r\nContent-Length: {len(text)}\r\n"
            "Content-Type: application/json\r\nConnection: close\r\n\r\n"
        )
        self.conn.wfile.write((head + text).encode("ascii"))

    def _discard_body(self) -> None:
        """Read the rest of the body: a client that still sends would lose the answer when the connection is closed."""
        left = MAX_DISCARDED_BYTES
        try:
            while left > 0 and (block := self.rfile.read(min(_BLOCK_BYTES, left))):
                left -= len(block)
        except (OSError, ValueError, errors.MaxSizeExceeded):
            pass


class _Connection(cheroot_server.HTTPConnection):
    """A connection that holds a thread only while it sends or reads, and not for long then."""

    RequestHandlerClass = _Request

    def __init__(self, server: Any, sock: socket.socket, _makefile: Any = None) -> None:
        self._budget = Budget(server.client_seconds)
        super().__init__(server, sock, self._open)

    def _open(self, sock: socket.socket, mode: str, size: int) -> Any:
        return MakeFile(_BoundedSocket(sock, self._budget), mode, size)

    def communicate(self) -> bool:
        """Serve one request; called by a thread of the server."""
        self._budget.renew()
        return bool(super().communicate())  # type: ignore[no-untyped-call]  # cheroot has no complete types


class HttpServer(wsgi.Server):
    """Serves a WSGI application on one address.

    A connection holds no thread before its first byte arrives.  Then the client has ``client_seconds`` for the rest of
    the request, and as much to read the answer.
    """

    ConnectionClass = _Connection

    def __init__(
        self,
        address: tuple[str, int],
        application: Any,
        threads: int,
        client_seconds: float = CLIENT_SECONDS,
        stop_seconds: int = STOP_SECONDS,
    ) -> None:
        super().__init__(
            address,
            application,
            numthreads=threads,
            server_name="cells-api",
            timeout=IDLE_SECONDS,
            shutdown_timeout=stop_seconds,
            request_queue_size=128,
        )
        self.client_seconds = client_seconds
        # The application refuses a long body; the server would do so without JSON.
        self.max_request_body_size = 0

    def process_conn(self, conn: Any) -> None:
        """Give a connection to a thread; called by the thread that accepts connections."""
        if conn.last_used is None:
            # It is new and may be silent, as those that a browser opens in advance.
            self.put_conn(conn)
        else:
            super().process_conn(conn)

"""The HTTP server of one address: wsgiref, with bounds that it lacks by itself.

wsgiref reads a request for as long as its client sends it, and looks up the name of its host when it binds.
"""

from __future__ import annotations

import io
import logging
import socket
import socketserver
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from cells.transport.socket_address import SocketAddress

#: A WSGI application.
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LOG = logging.getLogger(__name__)

#: Bound of the line and the headers of a request.
MAX_HEAD_BYTES = 8192
#: Bound of the time of one read or write.
IO_SECONDS = 5.0
#: Bound of the body of a refused request that is read, so that its sender sees the answer.
MAX_DRAINED_BYTES = 65536
_TOO_LARGE = b"HTTP/1.0 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpServer(WSGIServer):
    """A bound socket that listens.  The owner accepts the connections, and calls :meth:`answer` on a thread for each.

    :raises OSError: the address cannot be bound
    """

    request_queue_size = 64

    def __init__(self, address: SocketAddress, app: Application) -> None:
        self.address_family = socket.AddressFamily(address.family)
        super().__init__(address.address, _Handler, bind_and_activate=False)
        self.set_app(app)
        try:
            if address.family == socket.AF_INET6:
                # The IPv4 address of the same port may be in the list, too.
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.server_bind()
            self.server_activate()
            self.socket.setblocking(False)
        except OSError:
            self.server_close()
            raise

    def server_bind(self) -> None:
        # Without HTTPServer's own, which asks the name servers for the name of this host.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]  # for the environment only
        self.setup_environ()

    def answer(self, connection: socket.socket, address: Any) -> None:
        """Read one request, answer it, and close the connection.  Never raises."""
        try:
            self.finish_request(connection, address)
            _drain(connection)
        except Exception as error:  # a client may break off at any point
            LOG.debug("A request from %s was not answered: %s: %s", address[0], type(error).__name__, error)
        finally:
            self.shutdown_request(connection)


def _drain(connection: socket.socket) -> None:
    """Read what the client has sent beyond its headers: the system would discard the answer with the unread bytes."""
    connection.setblocking(False)
    left = MAX_DRAINED_BYTES
    try:
        while left > 0:
            taken = len(connection.recv(left))
            if not taken:
                return
            left -= taken
    except OSError:
        return


class _Handler(WSGIRequestHandler):
    """One request."""

    timeout = IO_SECONDS
    server: HttpServer

    def handle(self) -> None:
        head = self._read_head()
        if head is None:
            self.wfile.write(_TOO_LARGE)
            return
        self.rfile = io.BufferedReader(io.BytesIO(head))
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            # The client has gone, or has an error already.
            return
        handler = ServerHandler(
            self.rfile,
            self.wfile,  # type: ignore[arg-type]  # a binary stream
            io.StringIO(),
            self.get_environ(),
            multithread=True,
        )
        handler.request_handler = self  # type: ignore[attr-defined]  # for its log
        handler.run(self.server.get_app())  # type: ignore[arg-type]  # set by the constructor of the server

    def _read_head(self) -> bytes | None:
        """Return the line and headers of the request; None if they are too long."""
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            if len(head) > MAX_HEAD_BYTES:
                return None
            taken = self.connection.recv(MAX_HEAD_BYTES)
            if not taken:
                break
            head += taken
        return head

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the name of the base class
        LOG.debug("%s: " + format, self.client_address[0], *arguments)

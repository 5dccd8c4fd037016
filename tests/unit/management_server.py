"""A server that answers as the management API of RabbitMQ does, for one user."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PASSWORD = "monitor", "s%cret"
LOGIN = "monitor:s%25cret"


class ManagementServer(ThreadingHTTPServer):
    """``paths`` has the answers by path: a value, or the bytes of a body."""

    daemon_threads = True
    #: until a test ends, a request for ``silent`` waits
    may_answer: threading.Event

    def __init__(self, paths: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths = paths
        self.asked: list[str] = []
        self.is_silent = False
        self.may_answer = threading.Event()

    def url(self, login: str = LOGIN) -> str:
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ManagementServer

    def do_GET(self) -> None:
        if self.server.is_silent:
            self.server.may_answer.wait(30)
            return
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {token}":
            self._answer(401, b"{}")
        elif path not in self.server.paths:
            self._answer(404, b"{}")
        else:
            found = self.server.paths[path]
            self._answer(200, found if isinstance(found, bytes) else json.dumps(found).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
        """Write nothing."""


@contextmanager
def serve(paths: Mapping[str, Any]) -> Iterator[ManagementServer]:
    """Serve answers during the block."""
    with ManagementServer(paths) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.may_answer.set()
            server.shutdown()
            thread.join(10)

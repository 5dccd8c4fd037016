"""The HTTP server: slow clients, long bodies, silent connections and a stop."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from cells.api.http_server import Budget, HttpServer
from tests.clock import Clock
from tools.polling import poll

LONG = b"x" * (4 * 1024 * 1024)
REFUSAL = json.dumps({"error": {"code": 413}}).encode()


class App:
    """Answers at once; ``/hold`` waits for ``released``, ``/long`` is longer than what the kernel keeps."""

    def __init__(self) -> None:
        self.held = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        if int(environ.get("CONTENT_LENGTH") or 0) > 1000:
            start_response("413 Content Too Large", [("Content-Length", str(len(REFUSAL)))])
            return [REFUSAL]
        if path == "/read":
            environ["wsgi.input"].read()
        if path == "/hold":
            self.held.release()
            assert self.released.wait(20)
        body = LONG if path == "/long" else path.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


class Served:
    def __init__(self, threads: int = 4, client_seconds: float = 10.0) -> None:
        self.app = App()
        self.server = HttpServer(("127.0.0.1", 0), self.app, threads, client_seconds, stop_seconds=10)
        self.server.expiration_interval = 0.05
        self.server.prepare()
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()

    def get(self, path: str = "/", timeout: float = 10.0) -> tuple[int, bytes]:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def connect(self, data: bytes = b"") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.sendall(data)
        return sock

    def stop(self) -> None:
        self.app.released.set()
        self.server.stop()
        self.thread.join(10)


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.stop()


@pytest.fixture
def impatient() -> Iterator[Served]:
    found = Served(threads=2, client_seconds=0.3)
    yield found
    found.stop()


def read_all(sock: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_budget_counts_the_waits_of_one_request() -> None:
    clock = Clock()
    budget = Budget(2.0, clock)
    with socket.socket() as sock:
        budget.spend(sock, "read", lambda: clock.advance(1.5))
        assert sock.gettimeout() == 2.0
        budget.spend(sock, "read", lambda: clock.advance(1.5))
        assert sock.gettimeout() == 0.5
        with pytest.raises(TimeoutError):
            budget.spend(sock, "read", lambda: None)
        budget.spend(sock, "write", lambda: None)
        budget.renew()
        budget.spend(sock, "read", lambda: None)


def test_silent_connections_hold_no_thread(served: Served) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(served.connect())
        assert served.get("/", timeout=2)[0] == 200


def test_a_client_that_trickles_loses_its_thread(impatient: Served) -> None:
    begun = time.monotonic()
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(impatient.connect(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")) for _ in range(4)]
        stopped = threading.Event()

        def trickle() -> None:
            while not stopped.wait(0.05):
                for sock in slow:
                    with contextlib.suppress(OSError):
                        sock.send(b"a")

        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            # All threads are held, and each is free again after the time of its client.
            assert impatient.get("/", timeout=5)[0] == 200
        finally:
            stopped.set()
            trickling.join()
    assert time.monotonic() - begun < 4


def test_a_client_that_sends_no_body_is_given_up(impatient: Served) -> None:
    with impatient.connect(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab") as sock:
        read_all(sock)
    assert impatient.get("/")[0] == 200


def test_a_client_that_does_not_read_is_given_up(impatient: Served) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(4):
            opened.enter_context(impatient.connect(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert impatient.get("/", timeout=5)[0] == 200


def test_work_on_a_request_is_no_wait_for_its_client(impatient: Served) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", impatient.port, timeout=10)) as connection:
        connection.request("GET", "/hold")
        assert impatient.app.held.acquire(timeout=5)
        assert not impatient.app.released.wait(0.5)
        impatient.app.released.set()
        assert connection.getresponse().status == 200


def test_a_client_with_a_refused_body_gets_the_answer(served: Served) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", served.port, timeout=10)) as connection:
        connection.request("POST", "/", body=b"x" * 10_000_000)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (413, REFUSAL)


def test_an_unread_chunked_body_is_no_further_request(served: Served) -> None:
    inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    with served.connect(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body) as sock:
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer


def test_requests_that_the_server_refuses_itself_get_json(served: Served) -> None:
    for head in (b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with served.connect(head) as sock:
            status_line, _, rest = read_all(sock).partition(b"\r\n")
        error = json.loads(rest.partition(b"\r\n\r\n")[2])["error"]
        assert str(error["code"]) == status_line.split()[1].decode()


def test_a_stop_lets_requests_in_progress_end(served: Served) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", served.port, timeout=10)) as connection:
        connection.request("GET", "/hold")
        assert served.app.held.acquire(timeout=5)
        stopping = threading.Thread(target=served.server.stop)
        stopping.start()

        def is_refused() -> bool:
            try:
                served.connect().close()
            except OSError:
                return True
            return False

        poll(is_refused, "new connections are refused", 5)
        served.app.released.set()
        assert connection.getresponse().status == 200
        stopping.join(10)
        assert not stopping.is_alive()

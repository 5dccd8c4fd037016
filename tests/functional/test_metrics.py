"""The HTTP listener of a manager: its pages, and clients that are slow, wrong or too many."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest

from cells.drivers.direct.driver import DirectDriver
from cells.drivers.direct.loop import LOOK_SECONDS
from cells.metrics.listener import MAX_CONNECTIONS
from cells.metrics.names import TABLE
from tests.cases import each
from tests.functional.cell_tree import CellTree, TreeCell, wait_for

LISTEN = {"cells_metrics": {"listen": "127.0.0.1:0"}}
TIMEOUT_SECONDS = 10.0


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree({"api": {"east": {}}}, options=LISTEN) as tree:
        for cell in tree.cells.values():
            wait_for(lambda cell=cell: cell.service.observation.listener.addresses, "it listens")  # type: ignore[misc]
        yield tree


def address_of(cell: TreeCell) -> tuple[str, int]:
    host, _, port = cell.service.observation.listener.addresses[0].rpartition(":")
    return host, int(port)


def get(cell: TreeCell, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    connection = HTTPConnection(*address_of(cell), timeout=TIMEOUT_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_metrics_of_a_cell_after_a_call(tree: CellTree) -> None:
    api = tree["api"]
    api.call("api!east", "ping")
    is_up = 'cells_link_state{direction="down",neighbor="east",state="up"} 1.0'
    # A probe of the start is answered by its own thread.
    wait_for(lambda: is_up in get(api, "/metrics")[1].splitlines(), "the link is up")
    status, text = get(api, "/metrics")
    lines = text.splitlines()
    assert status == 200
    assert 'cells_link_queue_messages{neighbor="east"} 0.0' in lines
    assert "cells_call_seconds_count 1.0" in lines
    assert 'cells_neighbors{direction="down"} 1.0' in lines
    names = {line.split()[2] for line in lines if line.startswith("# TYPE cells_")}
    assert names <= set(TABLE)


def test_a_deleted_neighbor_has_no_numbers(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree({"api": {"east": {}}}, options=LISTEN)
    api = tree["api"]
    wait_for(lambda: api.service.observation.listener.addresses, "it listens")
    assert "east" in get(api, "/metrics")[1]
    api.database.delete("east")
    api.service.reset()
    assert 'neighbor="east"' not in get(api, "/metrics")[1]


def test_health(tree: CellTree) -> None:
    status, text = get(tree["api"], "/healthz")
    assert (status, json.loads(text)["status"]) == (200, "alive")
    wait_for(lambda: get(tree["api"], "/readyz")[0] == 200, "it is ready")
    assert "cells_ready 1.0" in get(tree["api"], "/metrics")[1].splitlines()


def test_a_manager_that_stops_is_alive_and_not_ready(tree: CellTree) -> None:
    with CellTree({"api": {}}, options=LISTEN) as other:
        api = other["api"]
        wait_for(lambda: api.service.observation.listener.addresses, "it listens")
        api.service.observation.stopping()
        status, text = get(api, "/readyz")
        assert (status, json.loads(text)["reasons"]) == (503, {"manager": "stopping"})
        assert get(api, "/healthz")[0] == 200


def test_a_manager_whose_io_thread_of_direct_links_is_blocked_is_not_alive(
    cell_tree: Callable[..., CellTree], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cells.health.progress.LIMIT_SECONDS", 3 * LOOK_SECONDS)
    api = cell_tree({"api": {"east": {}}}, links="direct", options=LISTEN)["api"]
    progress, gate = api.service.observation.progress, threading.Event()
    wait_for(lambda: "cells-direct-io_0" in progress.ages(), "the I/O threads are watched")
    assert get(api, "/healthz")[0] == 200
    driver = api.service.drivers.get("direct")
    assert isinstance(driver, DirectDriver)
    assert driver._links is not None
    assert driver._links._node is not None
    driver._links._node.alarm(lambda: gate.wait(30) and None).set(0.0)
    wait_for(lambda: get(api, "/healthz")[0] == 503, "the blocked thread is noticed")
    assert "cells-direct-io_0" in json.loads(get(api, "/healthz")[1])["stalled"]
    gate.set()
    wait_for(lambda: get(api, "/healthz")[0] == 200, "the thread goes round again")


def test_a_manager_without_its_database_is_alive_and_not_ready(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree({"api": {}}, options=LISTEN)
    api = tree["api"]
    wait_for(lambda: get(api, "/readyz")[0] == 200, "it is ready")
    tree.database_file("api").unlink()
    wait_for(lambda: get(api, "/readyz")[0] == 503, "it is not ready")
    assert "database" in json.loads(get(api, "/readyz")[1])["reasons"]
    assert get(api, "/healthz")[0] == 200


@each(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)])
def test_other_requests(tree: CellTree, method: str, path: str, status: int) -> None:
    assert get(tree["api"], path, method, b"body" if method == "POST" else None)[0] == status


def answer_to(cell: TreeCell, *parts: bytes) -> bytes:
    """Send bytes; return those that come back until the connection ends."""
    received = b""
    with socket.create_connection(address_of(cell), TIMEOUT_SECONDS) as opened, contextlib.suppress(OSError):
        for part in parts:
            opened.sendall(part)
        opened.shutdown(socket.SHUT_WR)
        while taken := opened.recv(65536):
            received += taken
    return received


@each(
    "parts",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 8 + b"\r\n\r\n",),
        (b"GET\r\n\r\n",),
        (b"GET /metrics HTTP/9.9.9\r\n\r\n",),
        (b"\r\n\r\n",),
        (b"",),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n",),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n", b"x" * 10_000_000),
        (b"GET /" + b"../" * 2000 + b" HTTP/1.1\r\n\r\n",),
    ],
    ids=["tls", "short", "version", "empty", "nothing", "long-header", "long-body", "long-path"],
)
def test_requests_that_make_no_sense_are_refused(tree: CellTree, parts: tuple[bytes, ...]) -> None:
    answer = answer_to(tree["api"], *parts)
    assert b"200 OK" not in answer
    assert b"Traceback" not in answer
    assert get(tree["api"], "/healthz")[0] == 200


def test_clients_that_send_nothing_keep_no_other_out(tree: CellTree) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 3):
            opened = stack.enter_context(socket.create_connection(address_of(tree["api"]), TIMEOUT_SECONDS))
            opened.sendall(b"GET /metrics HTT")
        assert get(tree["api"], "/healthz")[0] == 200


def test_clients_that_read_nothing_keep_no_other_out(tree: CellTree) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 3):
            opened = stack.enter_context(socket.create_connection(address_of(tree["api"]), TIMEOUT_SECONDS))
            opened.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert get(tree["api"], "/healthz")[0] == 200


def test_an_address_in_use_delays_no_message(cell_tree: Callable[..., CellTree]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        tree = cell_tree({"api": {"east": {}}}, cell_options={"api": {"cells_metrics": {"listen": listen}}})
        tree["api"].call("api!east", "ping")
        assert tree["api"].service.observation.listener.addresses == ()

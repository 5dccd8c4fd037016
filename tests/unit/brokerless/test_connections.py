"""Connections: one for each request in flight, reused afterwards, and always closed in the end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq

from cells.brokerless import connections as module
from cells.brokerless import frames
from cells.brokerless.connections import (
    Connection,
    ConnectionLost,
    Connections,
    ConnectionsInUse,
    NotAttempted,
    PeerUnreachable,
)
from cells.brokerless.frames import Request
from cells.brokerless.server import Delivery
from tests.cases import each
from tests.unit.brokerless.serving import WAIT_SECONDS, ServingProcess, Start, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

KEY = "key"
SLOTS = 3
Context = zmq.Context[zmq.Socket[bytes]]
REQUEST = Request(frames.CALL, b"1", KEY, "", b"{}").to_frames()


@pytest.fixture
def prepared() -> list[str]:
    """The endpoints of all connections, in the order of their creation."""
    return []


@pytest.fixture
def contexts() -> set[Context]:
    """The contexts of all sockets: an ended context keeps no descriptor."""
    return set()


@pytest.fixture
def connections(prepared: list[str], contexts: set[Context]) -> Iterator[Connections]:
    def prepare(prepared_socket: zmq.Socket[bytes], endpoint: str) -> None:
        prepared.append(endpoint)
        contexts.add(prepared_socket.context)

    made = Connections(prepare, SLOTS, 1.0)
    yield made
    assert ended(on_thread(made.close))


@pytest.fixture
def endpoint(process: ServingProcess) -> str:
    process.echo(KEY)
    return process.endpoint


def soon(seconds: float = WAIT_SECONDS) -> float:
    return time.monotonic() + seconds


def ask(connection: Connection) -> None:
    connection.send(REQUEST)
    received = connection.receive(soon())
    assert received is not None
    assert frames.read_answer(received).kind == frames.REPLY


def test_connection_is_reused(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    for _ in range(3):
        with connections.borrow(endpoint, soon()) as connection:
            ask(connection)
    assert prepared == [endpoint]


def test_answer_that_has_arrived_is_read_after_the_deadline(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        connection.send(REQUEST)
        assert poll(lambda: connection.receive(soon(-1)), "the answer arrives")
        assert connection.receive(soon(-1)) is None


def test_concurrent_users_share_no_connection(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    with connections.borrow(endpoint, soon()) as one, connections.borrow(endpoint, soon()) as two:
        assert one is not two
        ask(one)
        ask(two)
    assert len(prepared) == 2


def test_failed_request_ends_its_connection(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), connections.borrow(endpoint, soon()):
            raise ZeroDivisionError
    assert len(prepared) == 2


def test_number_of_connections_is_limited(connections: Connections, endpoint: str) -> None:
    with contextlib.ExitStack() as borrowed:
        for _ in range(SLOTS):
            borrowed.enter_context(connections.borrow(endpoint, soon()))
        with pytest.raises(ConnectionsInUse), connections.borrow(endpoint, soon(0.01)):
            pass
        waiting = on_thread(lambda: borrow_once(connections, endpoint))
        assert waiting.is_alive()
    assert ended(waiting)


def borrow_once(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        ask(connection)


def test_failed_connection_attempts_free_their_slots(connections: Connections, sockets: Path) -> None:
    for _ in range(SLOTS + 1):
        with pytest.raises(PeerUnreachable, match="No such file"), connections.borrow(f"ipc://{sockets}/no", soon()):
            pass


def test_many_threads_share_few_connections(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    def use() -> None:
        for _ in range(20):
            borrow_once(connections, endpoint)

    threads = [on_thread(use) for _ in range(8)]
    assert all(ended(thread) for thread in threads)
    assert len(prepared) <= SLOTS


@each(
    ("endpoint", "reason"),
    [(f"ipc:///{'x' * 200}", "too long"), ("tcp://a..b:1", "label"), ("tcp://127.0.0.1:{port}", "Connection refused")],
)
def test_endpoint_without_a_listener_fails_at_once(connections: Connections, endpoint: str, reason: str) -> None:
    (port,) = free_ports(1)
    with pytest.raises(PeerUnreachable, match=reason), connections.borrow(endpoint.format(port=port), soon()):
        pass


def test_error_contains_the_reason_of_the_resolver(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(PeerUnreachable, match="Name or service"), connections.borrow("tcp://nowhere:1", soon()):
        pass


def test_server_of_another_protocol_is_unreachable(sockets: Path) -> None:
    connections = Connections(lambda *_: None, 1, 0.1)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{sockets}/other.sock")
        other.listen()
        with (
            pytest.raises(PeerUnreachable, match="handshake"),
            connections.borrow(f"ipc://{sockets}/other.sock", soon()),
        ):
            pass
        assert ended(on_thread(connections.close))


def test_timeout_covers_both_steps_of_connecting(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, connections = [1000.0], Connections(lambda *_: None, 1, 60.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def use_up_the_time(_: str, timeout_seconds: float) -> None:
        now[0] += timeout_seconds

    monkeypatch.setattr(module, "_check_listener", use_up_the_time)

    def connect() -> None:
        with pytest.raises(PeerUnreachable), connections.borrow(f"ipc://{sockets}/none.sock", 2000.0):
            pass

    assert ended(on_thread(connect))
    assert ended(on_thread(connections.close))


def test_too_many_open_files_do_not_make_the_peer_unreachable(
    connections: Connections, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise zmq.ZMQError(24)

    monkeypatch.setattr(zmq.Context, "socket", fail)
    with pytest.raises(NotAttempted), connections.borrow(endpoint, soon()):
        pass


def test_error_while_preparing_is_raised_and_leaves_nothing_behind(endpoint: str) -> None:
    def fail(*_: object) -> None:
        raise LookupError("no key")

    connections = Connections(fail, 1, 1.0)
    for _ in range(2):
        with pytest.raises(LookupError, match="no key"), connections.borrow(endpoint, soon()):
            pass
    assert ended(on_thread(connections.close))


def test_stopped_peer_ends_the_wait(
    connections: Connections, process: ServingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIVENESS_CHECK_SECONDS", 0.02)
    process.queue(KEY)
    with connections.borrow(process.endpoint, soon()) as connection:
        connection.send(REQUEST)
        assert connection.receive(soon(0.001)) is None
        process.close()
        with pytest.raises(ConnectionLost):
            connection.receive(soon())


def test_last_answer_before_the_peer_stops_is_read(connections: Connections, start_process: Start) -> None:
    for _ in range(3):
        process, answered = start_process(), threading.Event()

        def answer(delivery: Delivery, answered: threading.Event = answered) -> None:
            delivery.answer(frames.REPLY)
            answered.set()

        process.handle(KEY, answer)
        with connections.borrow(process.endpoint, soon()) as connection:
            connection.send(REQUEST)
            ending = on_thread(lambda: answered.wait(WAIT_SECONDS) and process.close())  # noqa: B023  # it ends here
            assert connection.receive(soon()) is not None
            assert ended(ending)
            poll(lambda: not connection.is_open(), "the end is noticed")
            with pytest.raises(PeerUnreachable):
                connection.send(REQUEST)


def test_connection_to_a_stopped_process(connections: Connections, start_process: Start, prepared: list[str]) -> None:
    stopped = start_process()
    stopped.echo(KEY)
    with connections.borrow(stopped.endpoint, soon()) as kept:
        ask(kept)
    stopped.close()
    poll(lambda: not kept.is_open(), "the end is noticed")
    with pytest.raises(PeerUnreachable), connections.borrow(stopped.endpoint, soon()):
        pass
    assert is_closed(kept)
    assert prepared == [stopped.endpoint]


def is_closed(connection: Connection) -> bool:
    try:
        connection.is_open()
    except zmq.ZMQError:
        return True
    return False


def test_idle_connections_to_all_endpoints_are_closed(
    connections: Connections, start_process: Start, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = start_process()
    with (
        connections.borrow(stopped.endpoint, soon()) as first,
        connections.borrow(endpoint, soon()) as second,
        connections.borrow(endpoint, soon()) as third,
    ):
        pass
    stopped.close()
    monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
    borrow_once(connections, endpoint)
    assert all(map(is_closed, (first, second, third)))


def test_last_returned_connection_is_used_next(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as last, connections.borrow(endpoint, soon()):
        pass
    for _ in range(3):
        with connections.borrow(endpoint, soon()) as connection:
            assert connection is last


def test_nothing_is_opened_after_close(connections: Connections, endpoint: str, contexts: set[Context]) -> None:
    borrow_once(connections, endpoint)
    connections.close()
    connections.close()
    assert [context.closed for context in contexts] == [True]
    with pytest.raises(NotAttempted), connections.borrow(endpoint, soon()):
        pass


def test_close_ignores_connections_in_use(connections: Connections, endpoint: str, contexts: set[Context]) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        assert ended(on_thread(connections.close))
        ask(connection)
    assert is_closed(connection)
    assert [context.closed for context in contexts] == [True]


def test_close_refuses_a_thread_that_waits_for_a_slot(endpoint: str, prepared: list[str]) -> None:
    connections = Connections(lambda _, endpoint: prepared.append(endpoint), 1, 1.0)
    problems: list[Exception] = []
    has_begun = threading.Event()

    def wait() -> None:
        has_begun.set()
        try:
            borrow_once(connections, endpoint)
        except PeerUnreachable as error:
            problems.append(error)

    with connections.borrow(endpoint, soon()):
        waiting = on_thread(wait)
        assert has_begun.wait(WAIT_SECONDS)
        poll(lambda: connections._in_use == 2, "it waits")
        connections.close()
    assert ended(waiting)
    assert [type(problem) for problem in problems] == [NotAttempted]
    assert len(prepared) == 1

"""Connections: one for each request under way, kept for the next one, and none that is forgotten."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import connections as module
from cells.brokerless import frames
from cells.brokerless.connections import Connection, ConnectionLost, Connections, NotAttempted, PeerUnreachable
from cells.brokerless.frames import Request
from cells.brokerless.server import Delivery
from tests.unit.brokerless.serving import WAIT_SECONDS, ServingProcess, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

KEY = "key"
PLACES = 3
REQUEST = Request(frames.CALL, b"1", KEY, "", b"{}").to_frames()


@pytest.fixture
def prepared() -> list[str]:
    """The endpoint of each connection that was made."""
    return []


@pytest.fixture
def connections(prepared: list[str]) -> Iterator[Connections]:
    made = Connections(lambda _, endpoint: prepared.append(endpoint), PLACES, 1.0)
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


def test_connection_is_used_again(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    for _ in range(3):
        with connections.borrow(endpoint, soon()) as connection:
            ask(connection)
    assert prepared == [endpoint]


def test_answer_that_has_come_is_read_after_the_deadline_too(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        connection.send(REQUEST)
        assert connection._socket.poll(WAIT_SECONDS * 1000)
        assert connection.receive(soon(-1)) is not None
        assert connection.receive(soon(-1)) is None


def test_two_users_at_a_time_have_two(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    with connections.borrow(endpoint, soon()) as one, connections.borrow(endpoint, soon()) as two:
        assert one is not two
        ask(one)
        ask(two)
    assert len(prepared) == 2


def test_connection_of_a_failed_request_is_not_used_again(
    connections: Connections, endpoint: str, prepared: list[str]
) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), connections.borrow(endpoint, soon()):
            raise ZeroDivisionError
    assert len(prepared) == 2


def test_places_are_bounded_and_come_free(connections: Connections, endpoint: str) -> None:
    with contextlib.ExitStack() as borrowed:
        for _ in range(PLACES):
            borrowed.enter_context(connections.borrow(endpoint, soon()))
        with (
            pytest.raises(NotAttempted, match="all 3 connections are in use"),
            connections.borrow(endpoint, soon(0.01)),
        ):
            pass
        waiting = on_thread(lambda: borrow_once(connections, endpoint))
        assert waiting.is_alive()
    assert ended(waiting)


def borrow_once(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        ask(connection)


def test_failures_take_no_places(connections: Connections, sockets: Path) -> None:
    for _ in range(PLACES + 1):
        with pytest.raises(PeerUnreachable, match="No such file"), connections.borrow(f"ipc://{sockets}/no", soon()):
            pass


def test_many_threads_share_few_connections(connections: Connections, endpoint: str, prepared: list[str]) -> None:
    def use() -> None:
        for _ in range(20):
            borrow_once(connections, endpoint)

    threads = [on_thread(use) for _ in range(8)]
    assert all(ended(thread) for thread in threads)
    assert len(prepared) <= PLACES
    assert len(connections._idle[endpoint]) == len(prepared)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (f"ipc:///{'x' * 200}", "too long"),
        ("tcp://a..b:1", "label"),
        ("tcp://127.0.0.1:{port}", "Connection refused"),
    ],
)
def test_nobody_there_is_said_at_once(connections: Connections, endpoint: str, reason: str) -> None:
    (port,) = free_ports(1)
    with pytest.raises(PeerUnreachable, match=reason), connections.borrow(endpoint.format(port=port), soon()):
        pass


def test_name_that_does_not_resolve_is_said_in_words(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(PeerUnreachable, match="Name or service"), connections.borrow("tcp://nowhere:1", soon()):
        pass


def test_who_speaks_something_else_is_no_peer(sockets: Path) -> None:
    connections = Connections(lambda *_: None, 1, 0.1)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{sockets}/other.sock")
        other.listen()
        with (
            pytest.raises(PeerUnreachable, match="does not speak this protocol"),
            connections.borrow(f"ipc://{sockets}/other.sock", soon()),
        ):
            pass
        assert ended(on_thread(connections.close))


def test_knocking_and_connecting_share_the_time(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, connections = [1000.0], Connections(lambda *_: None, 1, 60.0)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def knock_slowly(_: str, timeout_seconds: float) -> None:
        now[0] += timeout_seconds

    monkeypatch.setattr(module, "_check_listener", knock_slowly)

    def connect() -> None:
        with pytest.raises(PeerUnreachable), connections.borrow(f"ipc://{sockets}/none.sock", 2000.0):
            pass

    assert ended(on_thread(connect))
    assert ended(on_thread(connections.close))


def test_too_many_open_files_are_a_reason_of_our_own(
    connections: Connections, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise zmq.ZMQError(24)

    monkeypatch.setattr(zmq.Context, "socket", fail)
    with pytest.raises(NotAttempted, match="no socket can be made"), connections.borrow(endpoint, soon()):
        pass


def test_error_of_preparing_reaches_the_user_and_leaves_nothing(endpoint: str) -> None:
    def fail(*_: object) -> None:
        raise LookupError("no key")

    connections = Connections(fail, 1, 1.0)
    for _ in range(2):
        with pytest.raises(LookupError, match="no key"), connections.borrow(endpoint, soon()):
            pass
    assert ended(on_thread(connections.close))


def test_end_of_the_other_side_ends_the_waiting(
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


def test_answer_right_before_the_end_is_read(
    connections: Connections, start_process: Callable[[], ServingProcess]
) -> None:
    for _ in range(3):
        process, answered = start_process(), threading.Event()

        def answer(delivery: Delivery, answered: threading.Event = answered) -> None:
            delivery.answer(frames.REPLY)
            answered.set()

        process.handle(KEY, answer)
        with connections.borrow(process.endpoint, soon()) as connection:
            connection.send(REQUEST)
            ending = on_thread(lambda: answered.wait(WAIT_SECONDS) and process.close())  # noqa: B023  # ends in here
            assert connection.receive(soon()) is not None
            assert ended(ending)
            poll(lambda: not connection.is_open(), "the end is seen", pause_seconds=0.001)
            with pytest.raises(PeerUnreachable, match="the connection is gone"):
                connection.send(REQUEST)


def test_kept_connection_to_a_dead_process_is_not_used(
    connections: Connections, start_process: Callable[[], ServingProcess], prepared: list[str]
) -> None:
    dead = start_process()
    dead.echo(KEY)
    borrow_once(connections, dead.endpoint)
    (kept,) = connections._idle[dead.endpoint]
    dead.close()
    poll(lambda: not kept.is_open(), "the end is seen", pause_seconds=0.001)
    with pytest.raises(PeerUnreachable), connections.borrow(dead.endpoint, soon()):
        pass
    assert kept._socket.closed
    assert prepared == [dead.endpoint]


def test_idle_connections_are_closed_wherever_they_lead(
    connections: Connections,
    start_process: Callable[[], ServingProcess],
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = start_process()
    gone.echo(KEY)
    borrow_once(connections, gone.endpoint)
    with connections.borrow(endpoint, soon()), connections.borrow(endpoint, soon()):
        pass
    old = [connection for idle in connections._idle.values() for connection in idle]
    gone.close()
    monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
    borrow_once(connections, endpoint)
    assert len(old) == 3
    assert all(connection._socket.closed for connection in old)
    assert sum(map(len, connections._idle.values())) == 0


def test_connection_that_was_used_last_is_used_next(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()), connections.borrow(endpoint, soon()):
        pass
    last = connections._idle[endpoint][-1]
    for _ in range(3):
        with connections.borrow(endpoint, soon()) as connection:
            assert connection is last


def test_nothing_is_opened_after_the_end(connections: Connections, endpoint: str) -> None:
    borrow_once(connections, endpoint)
    before = len(os.listdir("/proc/self/fd"))
    connections.close()
    connections.close()
    assert len(os.listdir("/proc/self/fd")) < before
    with pytest.raises(NotAttempted, match="closed"), connections.borrow(endpoint, soon()):
        pass


def test_closing_waits_for_nobody_who_uses_a_connection(connections: Connections, endpoint: str) -> None:
    with connections.borrow(endpoint, soon()) as connection:
        assert ended(on_thread(connections.close))
        ask(connection)
        context = connections._context
        assert context is not None
    assert connection._socket.closed
    assert context.closed


def test_who_waits_for_a_place_when_it_is_closed_gets_none(endpoint: str, prepared: list[str]) -> None:
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
        poll(lambda: connections._in_use == 2, "it waits", pause_seconds=0.001)
        connections.close()
    assert ended(waiting)
    assert [str(problem) for problem in problems] == ["this transport was closed"]
    assert len(prepared) == 1

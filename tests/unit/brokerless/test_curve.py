"""Secured sockets on the loopback interface: which peers can connect."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from cells import exceptions
from cells.brokerless.authenticator import Authenticator
from cells.brokerless.curve import secure_client, secure_server
from cells.brokerless.keys import KeyStore
from tests.unit.brokerless.serving import ended, on_thread

WAIT_MILLISECONDS = 20_000
#: events by which a client notices a refusal
ENDED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
)
Socket = zmq.Socket[bytes]


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Keys of the serving cell."""
    return cell(tmp_path / "api")


@pytest.fixture
def east(tmp_path: Path, store: KeyStore) -> KeyStore:
    """Keys of another cell, which knows the serving cell under the name "api"."""
    east = cell(tmp_path / "east")
    east.add("api", store.own_public())
    return east


@pytest.fixture
def context() -> Iterator[zmq.Context[Socket]]:
    context: zmq.Context[Socket] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def authenticator(context: zmq.Context[Socket], store: KeyStore) -> Iterator[Authenticator]:
    authenticator = Authenticator(context, store)
    authenticator.start()
    yield authenticator
    authenticator.stop()


@pytest.fixture
def server(context: zmq.Context[Socket], store: KeyStore) -> Iterator[Socket]:
    server = context.socket(zmq.ROUTER)
    secure_server(server, store)
    server.bind("tcp://127.0.0.1:0")
    yield server
    server.close(linger=0)


def cell(directory: Path) -> KeyStore:
    store = KeyStore(directory)
    store.create()
    return store


@contextlib.contextmanager
def client(server: Socket, secure: Callable[[Socket], None]) -> Iterator[tuple[Socket, Socket]]:
    """A socket that has sent ``hello``, and its monitor.  It has a context of its own, like another process."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        secure(socket)
        socket.linger = 0
        monitor = socket.get_monitor_socket(ENDED)
        socket.connect(server.last_endpoint)
        socket.send(b"hello")
        try:
            yield socket, monitor
        finally:
            socket.disable_monitor()
            monitor.close()


def assert_passes(server: Socket, store: KeyStore, peer: str | None = None) -> None:
    with client(server, lambda socket: secure_client(socket, store, peer)) as (socket, _):
        assert server.poll(WAIT_MILLISECONDS)
        identity, text = server.recv_multipart()
        assert text == b"hello"
        server.send_multipart([identity, b"welcome"])
        assert socket.poll(WAIT_MILLISECONDS)
        assert socket.recv() == b"welcome"


def assert_refused(server: Socket, secure: Callable[[Socket], None]) -> zmq.Event:
    with client(server, secure) as (_, monitor):
        assert monitor.poll(WAIT_MILLISECONDS)
        event = zmq.Event(recv_monitor_message(monitor)["event"])
        assert server.poll(0) == 0
        return event


@pytest.mark.usefixtures("authenticator")
def test_unknown_peer_is_refused_and_logged(server: Socket, east: KeyStore, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        event = assert_refused(server, lambda socket: secure_client(socket, east, "api"))
        assert event is zmq.Event.HANDSHAKE_FAILED_AUTH
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "127.0.0.1" in caplog.text
    assert east.own_public()[:8].decode() in caplog.text
    assert east.own()[1].decode() not in caplog.text


@pytest.mark.usefixtures("authenticator")
def test_changes_of_keys_need_no_restart(server: Socket, store: KeyStore, east: KeyStore) -> None:
    for _ in range(3):
        assert_refused(server, lambda socket: secure_client(socket, east, "api"))
        store.add("east", east.own_public())
        assert_passes(server, east, "api")
        store.delete("east")


@pytest.mark.usefixtures("authenticator")
def test_peer_that_expects_another_server_is_refused(server: Socket, store: KeyStore, east: KeyStore) -> None:
    store.add("east", east.own_public())
    assert_refused(server, lambda socket: secure_client(socket, east))


@pytest.mark.usefixtures("authenticator")
def test_plain_peer_is_refused(server: Socket) -> None:
    assert_refused(server, lambda socket: None)


@pytest.mark.usefixtures("authenticator")
def test_secured_peer_sends_nothing_to_a_plain_server(context: zmq.Context[Socket], east: KeyStore) -> None:
    with context.socket(zmq.ROUTER) as plain:
        plain.bind("tcp://127.0.0.1:0")
        assert_refused(plain, lambda socket: secure_client(socket, east, "api"))


@pytest.mark.usefixtures("authenticator")
def test_plain_sockets_of_the_same_context_are_not_affected(context: zmq.Context[Socket]) -> None:
    with context.socket(zmq.ROUTER) as plain:
        plain.bind("tcp://127.0.0.1:0")
        with client(plain, lambda socket: None):
            assert plain.poll(WAIT_MILLISECONDS)
            assert plain.recv_multipart()[1] == b"hello"


def test_no_peer_is_let_in_without_authenticator(context: zmq.Context[Socket], server: Socket, store: KeyStore) -> None:
    authenticator = Authenticator(context, store)
    assert_refused(server, lambda socket: secure_client(socket, store))
    authenticator.start()
    assert_passes(server, store)
    authenticator.stop()
    assert_refused(server, lambda socket: secure_client(socket, store))


def test_start_and_stop_may_be_repeated(context: zmq.Context[Socket], server: Socket, store: KeyStore) -> None:
    authenticator = Authenticator(context, store)
    authenticator.stop()
    for _ in range(20):
        authenticator.start()
        authenticator.start()
        authenticator.stop()
        authenticator.stop()
    authenticator.start()
    assert_passes(server, store)
    authenticator.stop()


def test_second_authenticator_in_a_context_is_an_error(
    context: zmq.Context[Socket], authenticator: Authenticator, store: KeyStore
) -> None:
    second = Authenticator(context, store)
    with pytest.raises(exceptions.ConfigurationError):
        second.start()
    second.stop()
    authenticator.stop()
    second.start()
    second.stop()


def test_end_of_the_context_ends_the_thread(store: KeyStore) -> None:
    context: zmq.Context[Socket] = zmq.Context()
    authenticator = Authenticator(context, store)
    before = set(threading.enumerate())
    authenticator.start()
    (thread,) = [new for new in set(threading.enumerate()) - before if new.name == "zmq-authenticator"]
    ending = on_thread(context.term)
    assert ended(thread)
    authenticator.stop()
    assert ended(ending)


def test_cell_without_a_key_does_not_start(context: zmq.Context[Socket], tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "empty")
    with context.socket(zmq.ROUTER) as socket:
        for act in (
            Authenticator(context, store).start,
            lambda: secure_server(socket, store),
            lambda: secure_client(socket, store),
        ):
            with pytest.raises(exceptions.ConfigurationError, match="cells key create"):
                act()


def test_client_of_an_unregistered_server_is_refused(context: zmq.Context[Socket], store: KeyStore) -> None:
    with context.socket(zmq.DEALER) as socket, pytest.raises(exceptions.ConfigurationError, match="key add east"):
        secure_client(socket, store, "east")


@pytest.mark.usefixtures("authenticator")
def test_damaged_key_does_not_affect_other_keys(
    server: Socket, store: KeyStore, east: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.add("east", east.own_public())
    store.add("west", east.own_public())
    (store.directory / "known" / "west.key").write_text("")
    assert_passes(server, east, "api")
    assert "west" in caplog.text


@pytest.mark.usefixtures("authenticator")
def test_keys_in_a_writable_directory_are_not_trusted(
    server: Socket, store: KeyStore, east: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.add("east", east.own_public())
    (store.directory / "known").chmod(0o777)
    for _ in range(3):
        assert_refused(server, lambda socket: secure_client(socket, east, "api"))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "chmod go-w" in caplog.text
    (store.directory / "known").chmod(0o700)
    assert_passes(server, east, "api")

"""The addresses at which a process listens, and a failed attempt leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from cells import exceptions
from cells.brokerless import addresses, curve, frames, routing_keys
from cells.brokerless.bound_server import BindSpec, BoundServer
from cells.brokerless.connections import Connections
from cells.brokerless.inbox import DirectInbox
from cells.brokerless.keys import KeyStore
from cells.brokerless.server import NO_LISTENER, Delivery
from tests.unit.brokerless.serving import WAIT_SECONDS, Connect, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

LIMIT = 1000
REFUSED = (frames.REFUSED, NO_LISTENER.encode())


def endpoint() -> str:
    (port,) = free_ports(1)
    return f"tcp://127.0.0.1:{port}"


def test_socket_in_a_directory_is_private_to_this_user(sockets: Path, connect: Connect) -> None:
    bound_server = BoundServer(BindSpec("", LIMIT, directory=sockets))
    (path,) = sockets.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(bound_server.address) == f"ipc://{path}"
    assert connect(f"ipc://{path}").ask("key") == REFUSED
    assert ended(on_thread(bound_server.close))
    assert list(sockets.iterdir()) == []


def test_directory_and_port_are_one_address(sockets: Path, connect: Connect) -> None:
    port = endpoint()
    bound_server = BoundServer(BindSpec("", LIMIT, directory=sockets, candidates=(port,)))
    assert len(bound_server.address.endpoints) == 2
    assert bound_server.address.endpoints[1] == port
    for one in bound_server.address.endpoints:
        assert connect(one).ask("key") == REFUSED
    bound_server.close()


def test_first_address_that_can_be_bound_is_used(connect: Connect) -> None:
    # 192.0.2.1 belongs to no host: it is reserved for documentation.
    free = endpoint()
    bound_server = BoundServer(BindSpec("", LIMIT, candidates=("tcp://192.0.2.1:5570", free)))
    assert bound_server.address.endpoints == (free,)
    second = endpoint()
    other = BoundServer(BindSpec("", LIMIT, candidates=(free, second)))
    assert other.address.endpoints == (second,)
    assert connect(free).ask("key") == REFUSED
    other.close()
    bound_server.close()


def test_host_name_may_be_bound(connect: Connect) -> None:
    (port,) = free_ports(1)
    bound_server = BoundServer(BindSpec("", LIMIT, candidates=(f"tcp://localhost:{port}",)))
    assert connect(f"tcp://localhost:{port}").ask("key") == REFUSED
    bound_server.close()


def test_address_that_cannot_be_bound_is_named_and_nothing_stays_open(sockets: Path) -> None:
    taken = endpoint()
    first = BoundServer(BindSpec("", LIMIT, candidates=(taken,)))
    before = len(os.listdir("/proc/self/fd"))
    for bind_spec in (
        BindSpec("", LIMIT, candidates=("tcp://192.0.2.1:5570", taken)),
        BindSpec("", LIMIT, directory=sockets, candidates=(taken,)),
    ):
        with pytest.raises(exceptions.ConfigurationError, match=f"{taken}: "):
            BoundServer(bind_spec)
    poll(lambda: len(os.listdir("/proc/self/fd")) <= before, "the sockets are closed")
    assert list(sockets.iterdir()) == []
    first.close()


def test_error_names_a_directory_that_cannot_be_used(sockets: Path) -> None:
    sockets.chmod(0o755)
    with pytest.raises(exceptions.ConfigurationError, match=f"chmod 700 {sockets}"):
        BoundServer(BindSpec("", LIMIT, directory=sockets))
    with pytest.raises(exceptions.ConfigurationError, match="ipc_dir"):
        BoundServer(BindSpec("", LIMIT, directory=sockets / ("x" * 100)))


def test_secured_port_without_a_key_fails_and_stays_free(sockets: Path) -> None:
    bind_spec = BindSpec("", LIMIT, candidates=(endpoint(),), keys_dir=sockets / "keys")
    with pytest.raises(exceptions.ConfigurationError, match="cells key create"):
        BoundServer(bind_spec)
    KeyStore(sockets / "keys").create()
    for _ in range(2):
        bound_server = BoundServer(bind_spec)
        assert ended(on_thread(bound_server.close))


def test_secured_port_does_not_answer_a_plain_client(sockets: Path, connect: Connect) -> None:
    KeyStore(sockets / "keys").create()
    secured = endpoint()
    bound_server = BoundServer(
        BindSpec("", LIMIT, directory=sockets / "ipc", candidates=(secured,), keys_dir=sockets / "keys")
    )
    stranger = connect(secured)
    stranger.request("key")
    assert connect(bound_server.address.endpoints[0]).ask("key") == REFUSED
    assert not stranger.socket.poll(50)
    bound_server.close()


def test_address_can_be_bound_again_after_close() -> None:
    bind_spec = BindSpec("", LIMIT, candidates=(endpoint(),))
    for _ in range(5):
        BoundServer(bind_spec).close()


def test_the_key_of_a_neighbor_reaches_only_the_topics_of_managers(tmp_path: Path) -> None:
    own, neighbor = KeyStore(tmp_path / "own"), KeyStore(tmp_path / "neighbor")
    neighbor.add("api", own.create())
    own.add("east", neighbor.create())
    where = endpoint()
    spec = BindSpec("", LIMIT, candidates=(where,), keys_dir=own.directory, neighbor_topics=("cells.intercell.*",))
    bound_server = BoundServer(spec)
    inbox: DirectInbox[Delivery] = DirectInbox(10, 10 * LIMIT)
    inbox.start(lambda delivery: delivery.answer(frames.REPLY, b"done"))
    keys = [routing_keys.topic_key("openstack", topic) for topic in ("cells.intercell.targeted", "cells", "inventory")]
    for key in keys:
        bound_server.server.add(key, inbox)

    def kinds(store: KeyStore, peer: str | None) -> list[bytes]:
        connections = Connections(lambda socket, _: curve.secure_client(socket, store, peer), 1, WAIT_SECONDS)
        try:
            return [ask(connections, key) for key in keys]
        finally:
            connections.close()

    def ask(connections: Connections, key: str) -> bytes:
        deadline = time.monotonic() + WAIT_SECONDS
        with connections.borrow(where, deadline) as connection:
            connection.send(frames.Request(frames.CALL, b"1", key, "", b"{}").to_frames())
            answer = connection.receive(deadline)
            assert answer is not None
            return frames.read_answer(answer).kind

    assert kinds(own, None) == [frames.REPLY] * 3
    assert kinds(neighbor, "api") == [frames.REPLY, frames.REFUSED, frames.REFUSED]
    bound_server.close()


def test_a_connection_that_does_not_authenticate_is_closed(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    store.create()
    where = endpoint()
    bound_server = BoundServer(BindSpec("", LIMIT, candidates=(where,), keys_dir=tmp_path, handshake_ms=100))
    idle = [socket.create_connection(addresses.split_tcp(where), WAIT_SECONDS) for _ in range(20)]
    for connection in idle:
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1000):  # the greeting, then the end
                pass
        connection.close()
    bound_server.close()

"""Patch read_ahead: a connection to RabbitMQ reads all that has arrived."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import connection as kombu_connection
from kombu.transport import pyamqp

from cells import conf as cells_conf
from cells.certificates import issuing
from cells.path import CellPath
from cells.transport import time_limit
from cells.transport.opening import open_transport
from cells.transport.patches.limited_connections import ReadAheadLimitedConnection
from cells.transport.patches.reachability import RequestLimits
from cells.transport.patches.read_ahead_connections import READ_BYTES, ReadAheadConnection, ReadAheadTransport, use
from tests.cases import each
from tests.unit.transport.patches.kombu_broker import Broker

Frame = tuple[int, int, bytes]


def written(frame: Frame) -> bytes:
    """Return the bytes of a frame of AMQP 0-9-1: type, channel, size, content, end."""
    kind, channel, content = frame
    return struct.pack(">BHI", kind, channel, len(content)) + content + b"\xce"


class Counted:
    """A socket that counts the reads."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self.reads = 0
        self.timeouts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self._inner.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts += 1
        self._inner.settimeout(seconds)


class Connection(ReadAheadConnection):
    """A connection whose other end is a socket of the test."""

    def __init__(self, ours: object, tls: object = False) -> None:
        super().__init__()
        self._transport = self.Transport("host:5672", 5.0, tls, None, None, socket_settings=None)
        self._transport.sock = ours
        self._transport._setup_transport()
        self.frames: list[Frame] = []
        self.on_inbound_frame = self.frames.append


class PlainConnection(Connection):
    """A connection without TLS that counts its reads."""

    def __init__(self) -> None:
        ours, self.broker = socket.socketpair()
        self.ours = Counted(ours)
        super().__init__(self.ours)

    def read_until_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                self.blocking_read(0.0001)

    def close_sockets(self) -> None:
        self.ours.close()
        self.broker.close()


@pytest.fixture
def connection() -> Iterator[PlainConnection]:
    made = PlainConnection()
    yield made
    made.close_sockets()


def test_the_frames_of_a_message_need_one_read_and_one_timeout(connection: PlainConnection) -> None:
    frames = [(1, 1, b"deliver"), (2, 1, b"header"), (3, 1, b"body"), (8, 0, b"")]
    connection.broker.sendall(b"".join(map(written, frames)))
    for _ in frames:
        connection.blocking_read(5.0)
    assert connection.frames == frames
    assert connection.ours.reads == 1
    assert connection.ours.timeouts == 2, "set for the first frame, and taken back"


@given(
    st.lists(st.tuples(st.sampled_from((1, 2, 3, 8)), st.integers(0, 9), st.binary(max_size=40)), max_size=6),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
)
def test_frames_arrive_whole_however_the_network_cuts_them(frames: list[Frame], sizes: list[int]) -> None:
    connection = PlainConnection()
    try:
        rest = b"".join(map(written, frames))
        while rest:
            for size in sizes:
                connection.broker.sendall(rest[:size])
                rest = rest[size:]
                connection.read_until_empty()
        assert connection.frames == frames
    finally:
        connection.close_sockets()


@each("size", [0, READ_BYTES - 8, READ_BYTES, 3 * READ_BYTES])
def test_frames_of_any_size_are_read(connection: PlainConnection, size: int) -> None:
    frames = [(3, 1, b"x" * size), (8, 0, b"")]
    connection.broker.sendall(b"".join(map(written, frames)))
    for _ in frames:
        connection.blocking_read(5.0)
    assert connection.frames == frames
    connection.frames.clear()


def test_a_broker_that_closes_the_connection_is_an_error(connection: PlainConnection) -> None:
    connection.broker.sendall(written((8, 0, b""))[:-1])
    connection.broker.shutdown(socket.SHUT_WR)
    with pytest.raises(OSError, match="closed"):
        connection.blocking_read(5.0)


def test_a_time_limit_ends_the_wait_for_a_frame_and_not_the_reading_of_frames_that_came() -> None:
    kombu_transport: Any = ReadAheadLimitedConnection.kombu_transport

    class Limited(PlainConnection, kombu_transport.Connection):  # type: ignore[misc]  # found at runtime
        pass

    connection, frames = Limited(), [(1, 1, b"deliver"), (8, 0, b"")]
    try:
        connection.broker.sendall(b"".join(map(written, frames)))
        connection.blocking_read(5.0)
        with time_limit.limit(0.0, 0.0):
            connection.blocking_read(5.0)
            with pytest.raises(TimeoutError):
                connection.blocking_read(5.0)
        assert connection.frames == frames
    finally:
        connection.close_sockets()


def test_it_replaces_the_driver_that_kombu_has_made_already() -> None:
    connection: Any = kombu_connection.Connection("amqp://user:secret@host/a")
    assert connection.supports_heartbeats, "oslo.messaging asks before it connects"
    use(connection, ReadAheadTransport)
    assert isinstance(connection.transport, ReadAheadTransport)
    made = connection.transport
    use(connection, ReadAheadTransport)
    assert connection.transport is made


def test_frames_over_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = issuing.new_key()
    text = issuing.self_signed(CellPath(["host"]), made, now=datetime.now(timezone.utc), days=1)
    issuing.write({certificate: text, key: made})
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    frames = [(1, 1, b"deliver"), (3, 1, b"x" * 3 * READ_BYTES), (8, 0, b"")]
    ours, broker = socket.socketpair()

    def serve() -> None:
        with served.wrap_socket(broker, server_side=True) as secured:
            secured.sendall(b"".join(map(written, frames)))
            secured.recv(1)

    with ours, ThreadPoolExecutor(1) as pool:
        done = pool.submit(serve)
        connection = Connection(ours, tls={"cert_reqs": ssl.CERT_NONE})
        for _ in frames:
            connection.blocking_read(5.0)
        assert connection.frames == frames
        connection.transport.sock.sendall(b"x")
        done.result(5.0)
        connection.transport.close()


@each(("is_client", "is_disabled"), [(False, False), (True, False), (False, True), (True, True)])
def test_transports_and_clients_use_it_unless_it_is_switched_off(is_client: bool, is_disabled: bool) -> None:
    conf = cells_conf.load([])
    conf.set_override("disabled_patches", ["read_ahead"] if is_disabled else [], group="cells")
    transport = open_transport(conf, "rabbit://user:secret@host/a")
    if is_client:
        RequestLimits(transport)
    broker = RabbitMQ()
    made = broker.connect(transport)
    made.max_retries = 1
    with pytest.raises(Stop):
        made.ensure_connection()
    assert issubclass(broker.get_transport_cls().Connection, ReadAheadConnection) is not is_disabled


class Stop(Exception):
    """Ends an attempt to connect."""


class RabbitMQ(Broker):
    """A broker that kombu reaches with py-amqp."""

    def get_transport_cls(self) -> type:
        found: type = pyamqp.Transport
        return found

    def ensure_connection(self, **_: object) -> None:
        raise Stop

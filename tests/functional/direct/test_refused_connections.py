"""Connections that do not open, or end: each with a named reason, a counter and a line in the log.

A real neighbor stays connected meanwhile.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cells.drivers.direct.frames import Heartbeat, MessageClass, Part
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.node import Peer
from tests.functional.direct import raw_peer
from tests.functional.direct.nodes import Manager
from tests.functional.direct.raw_peer import RawPeer
from tests.unit.certificates.made import DAY, NOW
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

LOGGERS = "cells.drivers.direct"
Connect = Callable[[Manager], socket.socket]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    directory = Path(tmp_path_factory.mktemp("cells"))
    made = {name: Cell(directory, f"api!{name}") for name in ("east", "west", "twin", "restless")}
    made["foreign"] = Cell(directory, "api!west")
    made["expired"] = Cell(directory, "api!expired", now=NOW - 11 * DAY)
    made["early"] = Cell(directory, "api!early", now=NOW + 2 * DAY)
    return made


@pytest.fixture(scope="module")
def parent(api: Cell, cells: dict[str, Cell]) -> Iterator[Manager]:
    """A manager with a child, east, that is connected, and four neighbors that are not."""
    parent, child = Manager(api), Manager(cells["east"], listen=())
    peers = [
        Peer(name, (cells[name].certificate,)) for name in ("east", "west", "expired", "early", "twin", "restless")
    ]
    parent.node.configure([*peers, Peer("other-twin", (cells["twin"].certificate,))])
    child.knows(api, parent.address)
    parent.wait_for(cells["east"])
    yield parent
    for manager in (child, parent):
        manager.node.stop(0.2)


class Refused:
    """The counters and the log of the manager since the start of the test."""

    def __init__(self, parent: Manager, caplog: pytest.LogCaptureFixture) -> None:
        self._parent = parent
        self._caplog = caplog
        self._before = {event: parent.counts(event) for event in ("direct_refused", "direct_ended")}

    def wait_for(self, reason: str, event: str = "direct_refused") -> None:
        """Wait until one connection is counted under ``reason``; check that one line tells of it."""

        def grown() -> dict[str, int]:
            before = self._before[event]
            counts = self._parent.counts(event)
            return {name: count - before.get(name, 0) for name, count in counts.items() if count > before.get(name, 0)}

        poll(grown, f"{event}.{reason}", 10)
        assert grown() == {reason: 1}

        def told() -> list[str]:
            texts = [one.getMessage() for one in self._caplog.records if one.name.startswith(LOGGERS)]
            # The child may log its own connection only now.
            return [text for text in texts if "connected with its manager" not in text]

        lines = poll(told, "a line", 10)
        assert len(lines) == 1
        assert self._parent.node.hosts("east") == ("host-east",)


@pytest.fixture
def refused(parent: Manager, caplog: pytest.LogCaptureFixture) -> Refused:
    caplog.set_level("INFO", LOGGERS)
    return Refused(parent, caplog)


def old_version(cell: Cell) -> ssl.SSLContext:
    found = raw_peer.context(cell)
    found.maximum_version = ssl.TLSVersion.TLSv1_2
    return found


def other_protocol(cell: Cell) -> ssl.SSLContext:
    found = raw_peer.context(cell)
    found.set_alpn_protocols(["http/1.1"])
    return found


@pytest.mark.parametrize(
    ("reason", "name", "settings"),
    [
        ("no_certificate", "", lambda _: raw_peer.context()),
        ("unknown_certificate", "foreign", raw_peer.context),
        ("expired", "expired", raw_peer.context),
        ("not_yet_valid", "early", raw_peer.context),
        ("shared_certificate", "twin", raw_peer.context),
        ("old_version", "west", old_version),
        ("other_protocol", "west", other_protocol),
    ],
)
def test_a_handshake_that_is_refused(
    parent: Manager,
    cells: dict[str, Cell],
    refused: Refused,
    reason: str,
    name: str,
    settings: Callable[[Cell | None], ssl.SSLContext],
) -> None:
    with raw_peer.plain(parent) as plain:
        try:
            with settings(cells.get(name)).wrap_socket(plain) as peer:
                assert raw_peer.is_closed_by(peer)
        except (ssl.SSLError, ConnectionError):
            pass
        refused.wait_for(reason)


@pytest.mark.parametrize(
    "text",
    [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x00\x09\x01", b"\0" * 1000, b"\x16\x03\x01\xff\xff" + b"x" * 70_000],
    ids=["HTTP", "AMQP", "zeros", "a long record"],
)
def test_bytes_that_are_no_tls(parent: Manager, refused: Refused, text: bytes) -> None:
    with raw_peer.plain(parent) as peer:
        peer.sendall(text)
        assert raw_peer.is_closed_by(peer)
    refused.wait_for("no_tls")


def test_half_a_handshake(parent: Manager, refused: Refused) -> None:
    with raw_peer.plain(parent) as peer:
        peer.sendall(b"\x16\x03\x01\x01\x00half")
    refused.wait_for("broken")


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("FrameTooLong", (40 * 1024 * 1024).to_bytes(4, "big") + b"\3"),
        ("MalformedFrame", b"\0\0\0\3\1{}"),
        ("ProtocolViolation", Heartbeat(1, None).encode()),
        ("PeerRefused", Hello(cell="east", host="h", incarnation="i" * 16, version="1").encode()),
    ],
    ids=["a frame of 40 MB", "a broken hello", "a frame before the hello", "the name of another neighbor"],
)
def test_a_greeting_that_is_refused(
    parent: Manager, cells: dict[str, Cell], refused: Refused, reason: str, data: bytes
) -> None:
    with raw_peer.context(cells["west"]).wrap_socket(raw_peer.plain(parent)) as peer:
        peer.sendall(data)
        assert raw_peer.is_closed_by(peer)
        refused.wait_for(reason)


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("FrameTooLong", (40 * 1024 * 1024).to_bytes(4, "big") + b"\3"),
        ("UnknownFrameType", b"\0\0\0\2\x7f\0"),
        ("MalformedFrame", b"\0\0\0\2\3\0"),
        ("ProtocolViolation", Part(MessageClass.REQUEST, 1, 0, 0, 41 * 1024 * 1024, 0, b"x").encode()),
        ("FrameTooLong", b"\xff" * 100),
    ],
    ids=["a frame of 40 MB", "unknown type", "a broken frame", "a message of 41 MB", "garbage"],
)
def test_a_connection_that_ends(
    parent: Manager,
    cells: dict[str, Cell],
    refused: Refused,
    reason: str,
    data: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RawPeer(parent, cells["west"]) as peer:
        caplog.clear()
        peer.send(data)
        assert raw_peer.is_closed_by(peer.socket)
    refused.wait_for(reason, "direct_ended")


def test_half_a_frame_and_silence(
    parent: Manager, cells: dict[str, Cell], refused: Refused, caplog: pytest.LogCaptureFixture
) -> None:
    with RawPeer(parent, cells["west"], heartbeat=0.05) as peer:
        caplog.clear()
        peer.send(b"\0\0\1\0\3half")
        assert raw_peer.is_closed_by(peer.socket)
    refused.wait_for("PeerSilent", "direct_ended")


def test_a_recorded_connection_is_worth_nothing(parent: Manager, cells: dict[str, Cell], refused: Refused) -> None:
    west = cells["west"]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = raw_peer.context(west).wrap_bio(incoming, outgoing)
    recorded: list[bytes] = []
    with raw_peer.plain(parent) as first:

        def exchange(work: Callable[[], object]) -> None:
            while True:
                try:
                    work()
                except ssl.SSLWantReadError:
                    pass
                else:
                    break
                finally:
                    recorded.append(outgoing.read())
                    first.sendall(recorded[-1])
                incoming.write(first.recv(65536))

        exchange(tls.do_handshake)
        exchange(lambda: tls.write(Hello(cell="west", host="h", incarnation="i" * 16, version="1").encode()))
        exchange(lambda: tls.read(65536))
        with raw_peer.plain(parent) as second:
            for data in recorded:
                second.sendall(data)
            assert raw_peer.is_closed_by(second)
        refused.wait_for("no_tls")


def test_a_neighbor_that_connects_again_and_again_writes_few_lines(
    parent: Manager, cells: dict[str, Cell], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGERS)
    for _ in range(20):
        with RawPeer(parent, cells["restless"]) as peer:
            peer.send(b"\xff" * 100)
            assert raw_peer.is_closed_by(peer.socket)
    # At most five of each of two kinds; on a busy machine other neighbors may connect again, too.
    assert len([text for text in caplog.messages if "restless" in text]) <= 10
    assert parent.node.hosts("east") == ("host-east",)

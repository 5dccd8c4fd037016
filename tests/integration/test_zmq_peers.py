"""Faulty peers on a manager's socket: invalid frames, and peers that never read."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import frames, routing_keys
from tests.integration.processes import make_manager
from tests.integration.transports import ZmqTransports, connected
from tools.manager_process import ManagerProcess
from tools.polling import poll

GROWTH_KB = 40 * 1024


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ManagerProcess, Path]]:
    """Manager and its socket."""
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        transports = ZmqTransports(Path(directory))
        transport = transports.take()
        manager = make_manager(tmp_path_factory.mktemp("peers"), "solo", transport)
        manager.sync_database()
        try:
            manager.start().wait_ready()
            (path,) = transports.sockets(transport)
            yield manager, path
        finally:
            manager.stop()


def test_frames_that_are_no_messages(serving: tuple[ManagerProcess, Path]) -> None:
    manager, path = serving
    chance = random.Random(1)
    before_kb = manager.rss_kb()
    with connected(path) as peer:
        for number in range(10_000):
            peer.send_multipart(random_frames(chance))
            if number % 100 == 0:
                check_answered(peer, number)
    check_well(manager, before_kb)


def random_frames(chance: random.Random) -> list[bytes]:
    """Yield frames of random bytes, some with an almost valid header."""
    start = chance.choice(
        [
            [],
            [frames.PROTOCOL],
            [frames.header()],
            [b"cells9\0cast\0id"],
            [frames.header(frames.CALL, b"id", b"\xff\xfe", b"")],
            [frames.header(b"dance", b"id", b"openstack~cells", b""), b"{}"],
            [frames.header(frames.CALL, b"", b"openstack~cells", b""), b"{}"],
            [frames.header(frames.CALL, b"id", b"openstack~cells", b"")],
            [frames.header(frames.CALL, b"id", b"openstack~cells", b""), b"[" * 100_000],
            [frames.header(frames.CAST, b"id", b"k" * 5000, b"")],
        ]
    )
    rest = [chance.randbytes(chance.randrange(2000)) for _ in range(chance.randrange(3))]
    return [*start, *rest] or [b""]


def check_answered(peer: zmq.Socket[bytes], number: int) -> None:
    """Call after the garbage; the answer shows that the manager has read all earlier frames."""
    message_id = f"call {number}".encode()
    body = frames.encode({"context": {}, "message": {"method": "no_such_method", "args": {}}})
    request = frames.Request(frames.CALL, message_id, routing_keys.topic_key("openstack", "cells"), "", body)
    peer.send_multipart(request.to_frames())
    answer = frames.read_answer(peer.recv_multipart())
    while answer.message_id != message_id:
        answer = frames.read_answer(peer.recv_multipart())
    assert answer.kind == frames.FAILURE


def test_bytes_that_are_not_even_frames(serving: tuple[ManagerProcess, Path]) -> None:
    manager, path = serving
    before_kb = manager.rss_kb()
    chance = random.Random(2)
    for number in range(200):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            try:
                # Among others a greeting of the lower protocol, and a frame that claims an endless length.
                peer.sendall(b"\xff\0\0\0\0\0\0\0\x01\x7f" + b"\x03" * 54 if number % 2 else b"\xff" * 9)
                peer.sendall(chance.randbytes(5000))
            except (BrokenPipeError, ConnectionResetError):
                continue  # this is the reaction to such a peer
    check_well(manager, before_kb)


def test_peer_that_never_reads_its_answers(serving: tuple[ManagerProcess, Path]) -> None:
    manager, path = serving
    before_kb = manager.rss_kb()
    body = frames.encode({"context": {}, "message": {"method": "status", "args": {"padding": "x" * 10_000}}})
    key = routing_keys.topic_key("openstack", "cells")
    with connected(path) as peer:
        for number in range(5000):
            peer.send_multipart(frames.Request(frames.CALL, str(number).encode(), key, "", body).to_frames())
        check_well(manager, before_kb)


def check_well(manager: ManagerProcess, before_kb: int) -> None:
    """The manager answers other peers, and does not keep the messages for the silent peer."""
    status = manager.status()
    assert status["pending_calls"] == 0
    assert manager.running.poll() is None
    poll(lambda: manager.rss_kb() < before_kb + GROWTH_KB, "the memory returns to its level")
    assert "Traceback" not in manager.log()

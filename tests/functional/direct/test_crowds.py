"""Peers that come in crowds, or stay for nothing: a real neighbor connects and calls meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cells import exceptions
from cells.certificates.certificate import read_file
from cells.drivers.direct.frames import Heartbeat
from cells.drivers.direct.hello import Window
from cells.drivers.direct.node import Peer
from tests.functional.direct import raw_peer
from tests.functional.direct.conftest import Start
from tests.functional.direct.nodes import Manager
from tests.functional.direct.raw_peer import Addressed, RawPeer
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

#: Bound of the time in which a real neighbor connects and its message is taken.
SECONDS = 15.0


@contextlib.contextmanager
def crowd(manager: Addressed, count: int) -> Iterator[list[socket.socket]]:
    """Open idle connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(raw_peer.plain(manager)) for _ in range(count)]


def check_served(parent: Manager, child: Manager, api: Cell, east: Cell, text: bytes = b"hello") -> None:
    """Let the child connect, and send a message in each direction."""
    started = time.monotonic()
    child.knows(api, parent.address)
    child.send(api, text)
    assert child.outcome(text) is None
    parent.send(east, text)
    assert parent.outcome(text) is None
    assert time.monotonic() - started < SECONDS


def test_idle_connections(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    with crowd(parent, 1100):
        check_served(parent, child, api, east)
        assert parent.counts("direct_refused").get("HelloTimeout", 0) > 0


def test_connections_that_send_a_byte_now_and_then(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, max_handshakes=8), start(east, listen=())
    parent.knows(east)
    is_over = threading.Event()
    with crowd(parent, 12) as peers:

        def drip() -> None:
            # The head of a long record, then its bytes.
            data = b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03"
            while not is_over.wait(0.05):
                for peer in peers:
                    with contextlib.suppress(OSError):
                        peer.sendall(data)
                data = b"\0"

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            check_served(parent, child, api, east)
        finally:
            is_over.set()
            thread.join()


def test_a_peer_that_never_reads(start: Start, api: Cell, east: Cell, tmp_path: Path) -> None:
    """It still sends heartbeats, so that it is slow and not dead."""
    west = Cell(tmp_path, "api!west")
    queue = Window(messages=4096, bytes=4_000_000)
    parent, child = start(api, queue=queue), start(east, listen=())
    parent.node.configure([Peer(cell.name, (cell.certificate,)) for cell in (east, west)])
    with RawPeer(parent, west) as peer:
        poll(lambda: parent.hosts(west), "west is connected")
        for number in range(40):
            parent.send(west, bytes([number]) * 500_000)
            peer.send(Heartbeat(number, None).encode())

        def refusals() -> list[list[exceptions.CellsError | None]]:
            found = [outcomes for outcomes in parent.outcomes.values() if outcomes]
            return found if len(found) >= 30 else []

        # Another thread may report the outcomes.
        refused = poll(refusals, "the messages without room are refused")
        assert all(isinstance(one[0], exceptions.NeighborBusy) for one in refused)
        check_served(parent, child, api, east)
        assert parent.state(west) == "connected"


def check_garbage(parent: Manager, child: Manager, api: Cell, east: Cell, count: int) -> None:
    """Check that garbage leaves a manager as it was, and that its neighbor is served."""
    parent.knows(east)
    check_served(parent, child, api, east)
    _garbage(parent, 500)
    descriptors, before = _descriptors(), _resident_bytes()
    _garbage(parent, count)
    check_served(parent, child, api, east, b"again")
    poll(lambda: sum(parent.counts("direct_refused").values()) >= count, "refused garbage")
    poll(lambda: _descriptors() <= descriptors + 5, "the descriptors are closed")
    # A closed connection that is kept takes 45 KB.
    assert _resident_bytes() - before < 10_000_000


def _garbage(manager: Manager, count: int) -> None:
    for number in range(count):
        with raw_peer.plain(manager) as peer, contextlib.suppress(ConnectionError):
            peer.sendall(bytes([number % 256]) * 100)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_garbage_costs_neither_memory_nor_descriptors(start: Start, api: Cell, east: Cell) -> None:
    """``tests/integration/test_direct_garbage.py`` does the same with 10,000 connections."""
    check_garbage(start(api), start(east, listen=()), api, east, 1000)


class PoorManager:
    """A manager in a process of its own with 64 file descriptors; see ``poor_manager.py``."""

    def __init__(self, directory: Path, neighbor: Cell) -> None:
        command = [sys.executable, "-m", "tests.functional.direct.poor_manager", str(directory)]
        self._process = subprocess.Popen(
            [*command, str(neighbor.certificate_file), "64"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started = self._read()
        self.address: str = started["address"]
        self.peer = Peer("api", read_file(Path(started["certificate"])), addresses=(self.address,))

    def __enter__(self) -> PoorManager:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=30)

    def ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]


def test_idle_connections_leave_descriptors_to_the_process(start: Start, api: Cell, east: Cell, tmp_path: Path) -> None:
    child = start(east, listen=())
    with PoorManager(tmp_path, east) as parent:
        with crowd(parent, 60):
            child.node.configure([parent.peer])
            child.send(api, b"hello")
            assert child.outcome(b"hello") is None
            assert parent.ask("open")["opened"] >= 20
            assert parent.ask("close")["refused"].keys() == {"HelloTimeout"}

        def is_out_of_descriptors() -> object:
            with raw_peer.plain(parent):
                return parent.ask("open")["refused"].get("no_descriptor")

        poll(is_out_of_descriptors, "the manager cannot accept")
        child.send(api, b"again")
        assert child.outcome(b"again") is None
        parent.ask("close")
        with raw_peer.plain(parent) as peer:
            peer.sendall(b"garbage of no protocol")
            assert raw_peer.is_closed_by(peer)

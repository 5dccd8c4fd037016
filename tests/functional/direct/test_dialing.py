"""Addresses that lead nowhere, or to another cell, and clocks that jump."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from cells import exceptions
from cells.drivers.direct import connection
from cells.drivers.direct.availability import GRACE_SECONDS
from cells.drivers.direct.node import Peer
from cells.transport import socket_address
from cells.transport.socket_address import SocketAddress
from cells.worker_threads import Runtime
from tests.clock import Clock
from tests.functional.direct.conftest import Start
from tests.functional.direct.forwarder import Forwarder
from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

NAME = "managers.api.example.org:5680"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let NAME resolve to these addresses."""
    real = socket_address.resolve

    def resolve(text: str, **options: bool) -> list[SocketAddress]:
        if text != NAME:
            return real(text, **options)
        return [SocketAddress(socket.AF_INET, address) for address in addresses]

    monkeypatch.setattr(socket_address, "resolve", resolve)


def address_of(manager: Manager) -> tuple[str, int]:
    return socket_address.split(manager.address)


def test_a_name_that_resolves_to_nothing(start: Start, api: Cell, east: Cell, caplog: pytest.LogCaptureFixture) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    child.knows(api, "no such name.invalid:5680", parent.address)
    child.wait_for(api)
    assert poll(lambda: child.counts("direct_refused"), "a counter").keys() == {"no_address"}
    assert [one for one in caplog.records if "no such name.invalid" in one.getMessage()]


def test_the_first_address_of_a_name_refuses(
    start: Start, api: Cell, east: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()
    resolve_to(monkeypatch, closed, address_of(parent))
    child.knows(api, NAME)
    child.wait_for(api)
    assert child.counts("direct_refused") == {"ConnectionLost": 1}


def test_the_first_address_of_a_name_is_silent(
    start: Start, api: Cell, east: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.2)
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        resolve_to(monkeypatch, silent.getsockname(), address_of(parent))
        child.knows(api, NAME)
        child.wait_for(api)
    assert child.counts("direct_refused")["HelloTimeout"] == 1


def test_the_address_of_another_neighbor(start: Start, api: Cell, east: Cell, tmp_path: Path) -> None:
    west = Cell(tmp_path, "api!west")
    parent, child = start(api, listen=()), start(east)
    child.knows(api)
    parent.node.configure(
        [Peer("west", (west.certificate,), addresses=(child.address,)), Peer("east", (east.certificate,))]
    )
    poll(lambda: parent.counts("direct_refused").get("other_neighbor"), "a refused connection")
    # It is noted after it is counted.
    poll(lambda: child.address in (parent.node.status("west") or {})["problem"], "the problem of the link")
    assert parent.hosts(east) == parent.hosts(west) == ()


def test_a_clock_that_jumps_loses_nothing(start: Start, api: Cell, east: Cell) -> None:
    """As after a suspension of the machine, whether or not the connection outlives it."""
    jumped = [0.0]
    clock = Runtime().clock
    parent = start(api, runtime=Runtime(clock=lambda: clock() + jumped[0]), reconnect_seconds=3600.0)
    child = start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    parent.wait_for(east)
    jumped[0] = 600.0
    for number in range(20):
        parent.send(east, b"down %d" % number)
        child.send(api, b"up %d" % number)
    assert {parent.outcome(payload) for payload in parent.outcomes} == {None}
    assert {child.outcome(payload) for payload in child.outcomes} == {None}
    assert set(child.payloads().values()) == set(parent.payloads().values()) == {1}


def test_a_wall_clock_that_jumps_changes_nothing(start: Start, api: Cell, east: Cell) -> None:
    wall = Clock(2_000_000_000.0)
    parent, child = start(api, runtime=Runtime(wall_clock=wall)), start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    for seconds in (86_400.0, -172_800.0):
        wall.advance(seconds)
        payload = b"after %d" % seconds
        parent.send(east, payload)
        assert parent.outcome(payload) is None
    assert parent.counts("direct_ended") == {}


def let_pass(manager: Manager, clock: Clock, seconds: float) -> None:
    """Advance the clock of a manager, and let its alarms ring."""
    clock.advance(seconds)
    for _ in range(2):  # when the second one rings, the alarms behind the first one have rung
        rang = threading.Event()
        manager.node.alarm(rang.set).set(0.0)
        assert rang.wait(30)


@pytest.mark.parametrize("answers", [True, False])
def test_messages_wait_for_a_connection_that_is_being_made(start: Start, api: Cell, east: Cell, answers: bool) -> None:
    """The time to reconnect ends while the peer has taken a connection, and has not answered yet."""
    clock = Clock()
    parent, child = start(api), start(east, listen=(), runtime=Runtime(clock=clock), reconnect_seconds=30.0)
    parent.knows(east)
    with Forwarder(parent.address) as forwarder:
        child.knows(api)
        let_pass(child, clock, 29.0)
        forwarder.freeze()
        child.knows(api, forwarder.address)
        child.send(api, b"waits")
        poll(lambda: forwarder.held_bytes, "the first bytes of a handshake")
        let_pass(child, clock, 1.0)
        assert child.state(api) == "reconnecting"
        if answers:
            forwarder.thaw()
            assert child.outcome(b"waits") is None
            return
        let_pass(child, clock, GRACE_SECONDS)
        assert isinstance(child.outcome(b"waits"), exceptions.NeighborUnreachable)
        assert child.state(api) == "down"

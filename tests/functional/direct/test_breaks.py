"""Breaks of direct links: each message arrives once, or its sender is told."""

from __future__ import annotations

import random
import socket
import threading
import time

from cells import exceptions
from cells.drivers.direct.frames import MessageClass
from tests.functional.direct.conftest import Start
from tests.functional.direct.forwarder import Forwarder
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll


def test_a_restart_loses_nothing(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    parent.send(east, b"before")
    assert parent.outcome(b"before") is None
    child.node.stop_taking(frozenset({MessageClass.REQUEST}))
    for number in range(20):
        parent.send(east, b"request %d" % number)
    child.node.stop(5)
    child.node.stop(5)
    for number in range(20, 40):
        parent.send(east, b"request %d" % number)
    parent.send(east, b"too late", deadline=time.monotonic() + 0.05)
    assert isinstance(parent.outcome(b"too late"), exceptions.CellTimeout)
    assert parent.state(east) == "reconnecting"
    again = start(east, listen=())
    again.knows(api, parent.address)
    assert {parent.outcome(b"request %d" % number) for number in range(40)} == {None}
    poll(lambda: sum((child.payloads() + again.payloads()).values()) == 41, "41 messages")
    assert set((child.payloads() + again.payloads()).values()) == {1}


def test_a_neighbor_that_does_not_come_back_is_down(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, reconnect_seconds=0.2), start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    parent.wait_for(east)
    child.node.stop(5)
    poll(lambda: parent.state(east) != "connected", "the end of the connection")
    parent.send(east, b"waits")
    error = parent.outcome(b"waits")
    assert isinstance(error, exceptions.NeighborUnreachable)
    assert not error.may_arrive
    assert parent.state(east) == "down"
    parent.send(east, b"later")
    assert len(parent.outcomes[b"later"]) == 1
    again = start(east, listen=())
    again.knows(api, parent.address)
    parent.wait_for(east)
    parent.send(east, b"again")
    assert parent.outcome(b"again") is None
    assert parent.state(east) == "connected"


def test_cuts_under_load(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=(), reconnect_seconds=5.0)
    parent.knows(east)
    chance = random.Random(5)
    with Forwarder(parent.address) as forwarder:
        child.knows(api, forwarder.address)
        child.wait_for(api)
        payloads = [b"%d " % number + bytes(chance.choice((10, 1000, 70_000))) for number in range(900)]

        def send(part: list[bytes]) -> None:
            for payload in part:
                child.send(api, payload, chance.choice((MessageClass.REQUEST, MessageClass.RESPONSE)))
                parent.send(east, payload, MessageClass.CONTROL)

        threads = [threading.Thread(target=send, args=(payloads[number::3],)) for number in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            goal = len(parent.received) + 50
            poll(lambda goal=goal: len(parent.received) >= min(goal, 900), "progress")  # type: ignore[misc]
            forwarder.cut()
        for thread in threads:
            thread.join(30)
        for sender, receiver in ((child, parent), (parent, child)):
            outcomes = {payload: sender.outcome(payload) for payload in payloads}
            taken = {payload for payload, outcome in outcomes.items() if outcome is None}
            poll(
                lambda receiver=receiver, taken=taken: taken <= receiver.payloads().keys(),  # type: ignore[misc]
                "all acknowledged messages",
            )
            received = receiver.payloads()
            assert set(received.values()) == {1}
            for payload, outcome in outcomes.items():
                if outcome is not None:
                    assert isinstance(outcome, exceptions.NeighborUnreachable)
                    assert outcome.may_arrive or payload not in received


def test_a_peer_that_never_reads_is_dead_after_its_heartbeats(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=(), heartbeat=0.05)
    parent.knows(east)
    with Forwarder(parent.address) as forwarder:
        child.knows(api, forwarder.address)
        parent.wait_for(east)
        forwarder.freeze()
        payloads = [bytes([number]) * 3_000_000 for number in range(3)]
        for payload in payloads:
            parent.send(east, payload)
        poll(lambda: parent.state(east) != "connected", "the death of the peer")
        assert parent.counts("direct_ended") == {"PeerSilent": 1}
        forwarder.thaw()
        forwarder.cut()
        assert [parent.outcome(payload) for payload in payloads] == [None] * 3


def test_an_address_that_nothing_listens_at_is_dialed_again(start: Start, api: Cell, east: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    child = start(east, listen=())
    child.knows(api, f"127.0.0.1:{port}", "no such name.invalid:1", "no port")
    poll(lambda: child.counts("direct_refused"), "a refused connection")
    parent = start(api, listen=(f"127.0.0.1:{port}",))
    parent.knows(east)
    child.wait_for(api)

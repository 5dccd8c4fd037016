"""Messages over direct links: both ways, several managers, flow control and long messages."""

from __future__ import annotations

import threading
import time

from cells import exceptions
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Window
from cells.drivers.direct.node_settings import Peer
from tests.functional.direct.conftest import Start
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll


def test_one_dialed_connection_carries_both_directions(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    parent.send(east, b"to the child")
    child.send(api, b"to the parent", MessageClass.RESPONSE)
    assert parent.outcome(b"to the child") is None
    assert child.outcome(b"to the parent") is None
    poll(lambda: child.received and parent.received, "both messages")
    assert child.received == [("api", MessageClass.REQUEST, b"to the child")]
    assert parent.received == [("east", MessageClass.RESPONSE, b"to the parent")]


def test_status_is_that_of_the_connection(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, heartbeat=0.05), start(east, heartbeat=0.05)
    parent.knows(east)
    before = parent.node.status("east")
    assert before is not None
    assert (before["state"], before["managers"]) == ("reconnecting", [])
    child.knows(api, parent.address)
    poll(lambda: _managers(child, "api") and _managers(child, "api")[0]["round_trip"] is not None, "a round trip")
    [manager] = _managers(child, "api")
    assert (manager["host"], manager["dialed"], manager["address"]) == ("host-api", True, parent.address)
    assert manager["credit"]["request"] == {"messages": 1024, "bytes": 4 * 1024 * 1024}
    status = child.node.status("api")
    assert status is not None
    assert status["state"] == "connected"
    assert status["since"] <= time.time()
    assert status["queue"]["request"] == {"messages": 0, "bytes": 0}
    assert child.node.status("west") is None


def _managers(manager: object, neighbor: str) -> list[dict[str, object]]:
    status = manager.node.status(neighbor)  # type: ignore[attr-defined]
    return status["managers"]  # type: ignore[no-any-return]


def test_managers_of_both_cells_form_a_mesh(start: Start, api: Cell, east: Cell) -> None:
    parents = [start(api, f"api-{number}") for number in range(2)]
    children = [start(east, f"east-{number}", io_threads=2) for number in range(2)]
    for parent in parents:
        parent.knows(east, *[child.address for child in children])
    for child in children:
        child.knows(api, *[parent.address for parent in parents])
    for parent in parents:
        parent.wait_for(east, "east-0", "east-1")
    for child in children:
        child.wait_for(api, "api-0", "api-1")
    parents[0].send(east, b"to all", fanout=True)
    parents[0].send(east, b"to one", server="east-1")
    for number in range(10):
        parents[0].send(east, b"in turn %d" % number)
    assert [parents[0].outcome(payload) for payload in parents[0].outcomes] == [None] * 12
    poll(lambda: sum(len(child.received) for child in children) == 13, "13 messages")
    first, second = (child.payloads() for child in children)
    assert first[b"to all"] == second[b"to all"] == 1
    assert (first[b"to one"], second[b"to one"]) == (0, 1)
    assert min(len(first), len(second)) >= 3


def test_a_manager_that_hangs_gets_few_messages(start: Start, api: Cell, east: Cell) -> None:
    is_over = threading.Event()
    parent = start(api)
    parent.knows(east)
    children = [start(east, f"east-{number}", listen=()) for number in range(2)]
    children[0].on_message = lambda *_: is_over.wait(60)
    for child in children:
        child.knows(api, parent.address)
    parent.wait_for(east, "east-0", "east-1")
    outcomes = []
    for number in range(20):
        payload = b"in turn %d" % number
        parent.send(east, payload, deadline=time.monotonic() + 0.3)
        outcomes.append(parent.outcome(payload))
    is_over.set()
    assert len([outcome for outcome in outcomes if outcome is not None]) <= 3


def test_a_manager_that_is_gone_is_named(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, reconnect_seconds=0.05), start(east)
    child.knows(api)
    parent.knows(east, child.address)
    parent.wait_for(east)
    parent.send(east, b"to another", server="east-7")
    assert isinstance(parent.outcome(b"to another"), exceptions.ManagerGone)
    assert child.received == []


def test_both_sides_that_dial_share_a_connection(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east)
    barrier = threading.Barrier(2)

    def dial() -> None:
        barrier.wait(10)
        child.knows(api, parent.address)

    thread = threading.Thread(target=dial)
    thread.start()
    barrier.wait(10)
    parent.knows(east, child.address)
    thread.join(10)
    for number in range(50):
        parent.send(east, b"down %d" % number)
        child.send(api, b"up %d" % number)
    assert {parent.outcome(payload) for payload in parent.outcomes} == {None}
    assert {child.outcome(payload) for payload in child.outcomes} == {None}
    assert (len(_managers(parent, "east")), len(_managers(child, "api"))) == (1, 1)
    assert set(parent.payloads().values()) == set(child.payloads().values()) == {1}


def test_two_addresses_of_one_manager_make_one_connection(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, listen=("127.0.0.1:0", "127.0.0.1:0")), start(east, listen=())
    parent.knows(east)
    child.knows(api, *parent.node.addresses)
    child.wait_for(api)
    child.send(api, b"hello")
    assert child.outcome(b"hello") is None
    assert child.hosts(api) == ("host-api",)


def test_a_peer_without_credit_makes_a_bounded_queue(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, queue=Window(messages=8, bytes=100_000)), start(east, window=Window(messages=2))
    resume = threading.Event()
    child.on_message = lambda _, message_class, __: message_class is MessageClass.REQUEST and resume.wait(30)
    child.knows(api)
    parent.knows(east, child.address)
    parent.wait_for(east)
    for number in range(2):
        parent.send(east, b"request %d" % number)
        assert parent.outcome(b"request %d" % number) is None
    for number in range(2, 12):
        parent.send(east, b"request %d" % number, deadline=time.monotonic() + 0.1 if number == 5 else None)
    for number in range(10, 12):
        assert isinstance(parent.outcome(b"request %d" % number), exceptions.NeighborBusy)
    assert isinstance(parent.outcome(b"request 5"), exceptions.CellTimeout)
    # Answers pass the requests, in both directions.
    parent.send(east, b"answer", MessageClass.RESPONSE)
    assert parent.outcome(b"answer") is None
    poll(lambda: child.payloads()[b"answer"], "the answer")
    assert parent.state(east) == "connected"
    resume.set()
    assert [parent.outcome(b"request %d" % number) for number in (2, 3, 4, 6, 7, 8, 9)] == [None] * 7


def test_long_messages_travel_beside_short_ones(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east)
    child.knows(api)
    parent.knows(east, child.address)
    long = [bytes([number]) * 5_000_000 for number in range(3)]
    for payload in long:
        parent.send(east, payload)
    for number in range(100):
        parent.send(east, b"answer %d" % number, MessageClass.RESPONSE)
        parent.send(east, b"request %d" % number)
    assert {parent.outcome(payload) for payload in parent.outcomes} == {None}
    poll(lambda: len(child.received) == 203, "all messages")
    assert [payload for _, kind, payload in child.received if kind is MessageClass.REQUEST][:3] == long
    parent.send(east, bytes(50_000_000))
    assert isinstance(parent.outcome(bytes(50_000_000)), exceptions.MessageTooLarge)


def test_an_unregistered_neighbor_fails_at_once(start: Start, api: Cell, east: Cell) -> None:
    parent = start(api)
    parent.send(east, b"early")
    parent.knows(east)
    parent.send(east, b"waits")
    parent.node.configure([Peer("west", (), addresses=())])
    for payload in (b"early", b"waits"):
        assert isinstance(parent.outcome(payload), exceptions.NeighborUnreachable)

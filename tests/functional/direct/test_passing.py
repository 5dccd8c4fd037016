"""Messages to a neighbor that only siblings can reach: passed, taken back, and never passed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells import exceptions
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.message import Message, TakeOutcomes
from tests.functional.direct.conftest import Start
from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

SIBLING = ("api-2",)
GONE = exceptions.NeighborUnreachable("no connection")


class Sibling:
    """Takes messages that are passed to it, while ``is_there``."""

    def __init__(self) -> None:
        self.is_there = True
        self.passed: list[tuple[Message, TakeOutcomes]] = []

    def take(self, _neighbor: str, take_outcomes: TakeOutcomes, message: Message) -> bool:
        if self.is_there:
            self.passed.append((message, take_outcomes))
        return self.is_there

    def report(self, outcome: exceptions.CellsError | None) -> None:
        """Report the outcome of all messages."""
        passed, self.passed = self.passed, []
        for _, take_outcomes in passed[:1]:
            take_outcomes([(message, outcome) for message, _ in passed])


@pytest.fixture
def sibling() -> Sibling:
    return Sibling()


@pytest.fixture
def parent(start: Start, api: Cell, east: Cell, sibling: Sibling) -> Manager:
    """A manager whose sibling has a connection to east."""
    manager = start(api, pass_on=sibling.take, reconnect_seconds=0.3)
    manager.knows(east)
    manager.node.reach_through("east", SIBLING)
    return manager


def connect(start: Start, parent: Manager, api: Cell, east: Cell) -> Manager:
    child = start(east, listen=())
    child.knows(api, parent.address)
    parent.wait_for(east)
    return child


def test_a_message_is_passed_whole_and_has_the_outcome_of_the_sibling(
    parent: Manager, east: Cell, sibling: Sibling
) -> None:
    assert parent.state(east) == "connected"
    parent.send(east, b"to all", fanout=True, server="east-1")
    [(message, _)] = sibling.passed
    assert (message.payload, message.fanout, message.server) == (b"to all", True, "east-1")
    assert not parent.outcomes[b"to all"]
    sibling.report(None)
    assert parent.outcome(b"to all") is None
    parent.send(east, b"broken")
    sibling.report(exceptions.NeighborUnreachable("broken", may_arrive=True))
    error = parent.outcome(b"broken")
    assert isinstance(error, exceptions.NeighborUnreachable)
    assert error.may_arrive
    assert sibling.passed == []


def test_a_message_that_the_sibling_cannot_send_finds_the_next_way(
    start: Start, parent: Manager, api: Cell, east: Cell, sibling: Sibling
) -> None:
    for payload in (b"1", b"2"):
        parent.send(east, payload)
    sibling.report(GONE)
    assert [message.payload for message, _ in sibling.passed] == [b"1", b"2"], "it has another connection"
    sibling.is_there = False
    sibling.report(GONE)
    assert parent.outcomes == {b"1": [], b"2": []}
    child = connect(start, parent, api, east)
    assert [parent.outcome(payload) for payload in (b"1", b"2")] == [None, None]
    poll(lambda: len(child.received) == 2, "both arrive")
    assert [payload for _, _, payload in child.received] == [b"1", b"2"]


def test_messages_wait_when_the_last_sibling_is_gone_and_fail_when_the_neighbor_is_down(
    parent: Manager, east: Cell, sibling: Sibling
) -> None:
    parent.send(east, b"passed")
    parent.node.reach_through("east", ())
    assert parent.state(east) == "reconnecting"
    parent.send(east, b"waits")
    sibling.report(GONE)
    for payload in (b"passed", b"waits"):
        error = parent.outcome(payload)
        assert isinstance(error, exceptions.NeighborUnreachable)
        assert not error.may_arrive
    assert parent.state(east) == "down"
    parent.node.reach_through("east", SIBLING)
    assert parent.state(east) == "connected"
    parent.send(east, b"again")
    sibling.report(None)
    assert parent.outcome(b"again") is None


def test_waiting_messages_are_passed_when_a_sibling_gets_a_connection(
    start: Start, api: Cell, east: Cell, sibling: Sibling
) -> None:
    manager = start(api, pass_on=sibling.take)
    manager.knows(east)
    manager.send(east, b"waits")
    assert sibling.passed == []
    manager.node.reach_through("east", SIBLING)
    sibling.report(None)
    assert manager.outcome(b"waits") is None


def test_a_manager_with_a_connection_passes_nothing(
    start: Start, parent: Manager, api: Cell, east: Cell, sibling: Sibling
) -> None:
    child = connect(start, parent, api, east)
    parent.send(east, b"over the connection")
    assert parent.outcome(b"over the connection") is None
    child.node.stop(5)
    poll(lambda: not parent.hosts(east), "the end of the connection")
    assert parent.state(east) == "connected"
    parent.send(east, b"through the sibling")
    sibling.report(None)
    assert parent.outcome(b"through the sibling") is None
    assert child.payloads() == {b"over the connection": 1}


def test_a_passed_message_is_not_passed_again(parent: Manager, east: Cell, sibling: Sibling) -> None:
    outcomes: list[exceptions.CellsError | None] = []
    report: Callable[[exceptions.CellsError | None], object] = outcomes.append
    parent.node.send(
        "east",
        Message(message_class=MessageClass.REQUEST, payload=b"passed", on_done=report, is_passed=True),
        Message(message_class=MessageClass.REQUEST, payload=b"all", on_done=report, is_passed=True, fanout=True),
    )
    poll(lambda: len(outcomes) == 2, "both are given back")
    assert all(isinstance(outcome, exceptions.NeighborUnreachable) and not outcome.may_arrive for outcome in outcomes)
    assert sibling.passed == []

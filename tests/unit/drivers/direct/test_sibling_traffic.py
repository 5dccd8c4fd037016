"""The help between managers of one cell, over a bus of function calls and with nodes that record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.message import Message
from cells.drivers.direct.sibling_traffic import SiblingTraffic
from cells.drivers.direct.siblings import INTERVAL_SECONDS
from cells.drivers.siblings import Links, Outcome, Parcel, Sibling
from cells.worker_threads import Runtime
from tests.clock import Clock
from tools.polling import poll

Outcomes = list[exceptions.CellsError | None]


class Alarm:
    """An alarm that rings when the test says so."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring = ring
        self.due_at = math.inf

    def set(self, due_at: float) -> None:
        self.due_at = min(self.due_at, due_at)


class Node:
    """Records the messages that it sends; the test sets its connections."""

    def __init__(self) -> None:
        self.links: dict[str, tuple[str, ...]] = {"east": ()}
        self.sent: list[tuple[str, Message]] = []
        self.through: dict[str, tuple[str, ...]] = {}
        self.outcome: exceptions.CellsError | None = None

    def connections(self) -> dict[str, tuple[str, ...]]:
        return self.links

    def hosts(self, neighbor: str) -> tuple[str, ...]:
        return self.links[neighbor]

    def reach_through(self, neighbor: str, siblings: tuple[str, ...]) -> None:
        self.through[neighbor] = siblings

    def send(self, neighbor: str, *messages: Message) -> None:
        for message in messages:
            self.sent.append((neighbor, message))
            message.on_done(self.outcome)

    def alarm(self, ring: Callable[[], None]) -> Any:
        self.made = Alarm(ring)
        return self.made


class Bus:
    """The end of one manager; ``managers`` are the siblings that serve, by host."""

    def __init__(self, host: str, managers: dict[str, Sibling]) -> None:
        self.host, self.managers = host, managers
        self.error: exceptions.CellsError | None = None
        self.told: list[tuple[Links | None, str]] = []

    def start(self, sibling: Sibling, secret: Callable[[], bytes]) -> None:
        self.managers[self.host] = sibling

    def tell(self, incarnation: str, links: Links | None, host: str = "") -> None:
        self.told.append((links, host))
        for name, manager in list(self.managers.items()):
            if host in ("", name):
                manager.hear(self.host, incarnation, links)

    def forward(self, host: str, neighbor: str, parcels: Sequence[Parcel]) -> list[Outcome]:
        if self.error is not None:
            raise self.error
        return self.managers[host].forward(neighbor, parcels).result(10)

    def hand_over(self, host: str, neighbor: str, payloads: Sequence[str], age_seconds: float) -> None:
        if self.error is not None:
            raise self.error
        self.managers[host].take(neighbor, payloads, age_seconds)

    def stop_serving(self) -> None:
        self.managers.pop(self.host, None)

    def close(self) -> None:
        self.stop_serving()


class Manager:
    """One manager of the cell api."""

    def __init__(self, host: str, managers: dict[str, Sibling], clock: Clock) -> None:
        self.node, self.bus, self.counters = Node(), Bus(host, managers), Counters()
        self.taken: list[object] = []
        own = Hello(cell="api", host=host, incarnation=f"incarnation-of-{host}", version="1.9")
        self.traffic = SiblingTraffic(own, self.bus, bytes, self._take, Runtime(clock=clock), self.counters)
        self.traffic.start(self.node)

    def _take(self, neighbor: str, payloads: Sequence[bytes], _age: float) -> None:
        self.taken += [(neighbor, json.loads(payload)) for payload in payloads]

    def tell(self) -> None:
        self.node.made.ring()

    def connect(self, *hosts: str) -> None:
        self.node.links = {"east": hosts}
        self.traffic.tell_soon()

    def pass_on(self, payload: bytes, outcomes: Outcomes, **options: Any) -> bool:
        def take_outcomes(found: Sequence[tuple[Message, Outcome]]) -> None:
            outcomes.extend(outcome for _, outcome in found)

        message = Message(message_class=MessageClass.REQUEST, payload=payload, on_done=outcomes.append, **options)
        return self.traffic.pass_on("east", take_outcomes, message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(clock: Clock) -> Iterator[tuple[Manager, Manager]]:
    """Two managers that know each other; the first one has a connection to east-1."""
    managers: dict[str, Sibling] = {}
    first, second = (Manager(host, managers, clock) for host in ("api-1", "api-2"))
    first.connect("east-1")
    first.tell()
    poll(lambda: "api-1" in managers, "the first one serves")
    second.tell()
    poll(lambda: second.node.through == {"east": ("api-1",)}, "the first one has answered the new manager")
    yield first, second
    for manager in (first, second):
        manager.traffic.close()


def test_a_new_manager_is_told_at_once(pair: tuple[Manager, Manager]) -> None:
    first, second = pair
    assert ({"east": ("east-1",)}, "api-2") in first.bus.told
    assert first.traffic.has_siblings
    assert second.traffic.reached("east") == {"east-1"}


def test_changes_are_told_together_and_the_rest_at_an_interval(pair: tuple[Manager, Manager], clock: Clock) -> None:
    first, second = pair
    first.node.made.due_at = math.inf
    first.connect()
    first.connect("east-1", "east-2")
    assert first.node.made.due_at < clock.now + 1
    first.node.made.due_at = math.inf
    first.tell()
    poll(lambda: second.traffic.reached("east") == {"east-1", "east-2"}, "the change is told")
    assert first.node.made.due_at == clock.now + INTERVAL_SECONDS


def test_a_manager_without_neighbors_falls_silent(pair: tuple[Manager, Manager]) -> None:
    first, second = pair
    first.node.links, first.node.made.due_at = {}, math.inf
    first.tell()
    poll(lambda: second.node.through == {"east": ()}, "it tells that once")
    assert first.node.made.due_at == math.inf


def test_a_message_takes_its_outcome_from_the_sibling(pair: tuple[Manager, Manager], clock: Clock) -> None:
    first, second = pair
    outcomes: Outcomes = []
    assert second.pass_on(b'["cast"]', outcomes, server="east-1", fanout=True, deadline=clock.now + 2)
    poll(lambda: outcomes, "the outcome")
    assert outcomes == [None]
    [(neighbor, message)] = first.node.sent
    assert (neighbor, message.payload, message.server, message.fanout) == ("east", b'["cast"]', "east-1", True)
    assert message.is_passed
    assert message.deadline == clock.now + 2
    first.node.outcome = exceptions.NeighborBusy("full", cell="east")
    assert second.pass_on(b"cast", outcomes)
    poll(lambda: len(outcomes) == 2, "the outcome")
    assert isinstance(outcomes[1], exceptions.NeighborBusy)
    assert second.node.through == {"east": ("api-1",)}


def test_a_sibling_that_has_lost_its_connection_is_asked_no_more(pair: tuple[Manager, Manager]) -> None:
    first, second = pair
    outcomes: Outcomes = []
    first.node.outcome = exceptions.NeighborUnreachable("not connected")
    assert second.pass_on(b"cast", outcomes)
    poll(lambda: outcomes, "the outcome")
    assert second.node.through == {"east": ()}
    assert not second.pass_on(b"cast", outcomes)
    first.tell()
    poll(lambda: second.node.through == {"east": ("api-1",)}, "it tells that it has one")


def test_a_call_that_breaks_may_have_arrived(pair: tuple[Manager, Manager]) -> None:
    _, second = pair
    outcomes: Outcomes = []
    second.bus.error = exceptions.NeighborUnreachable("no answer", may_arrive=True)
    assert second.pass_on(b"cast", outcomes)
    poll(lambda: outcomes, "the outcome")
    assert outcomes[0] is not None
    assert outcomes[0].kwargs == {"may_arrive": True}
    assert second.node.through == {"east": ("api-1",)}


def test_a_silent_sibling_is_forgotten(pair: tuple[Manager, Manager], clock: Clock) -> None:
    _, second = pair
    clock.advance(3 * INTERVAL_SECONDS)
    second.tell()
    assert second.node.through == {"east": ()}
    assert not second.traffic.has_siblings


def test_a_manager_that_stops_is_passed_nothing_and_then_forgotten(pair: tuple[Manager, Manager]) -> None:
    first, second = pair
    first.traffic.leave()
    first.tell()
    poll(lambda: second.node.through == {"east": ()}, "it takes no more messages")
    assert second.traffic.has_siblings
    first.traffic.close()
    poll(lambda: not second.traffic.has_siblings, "it has said goodbye")


def test_the_only_manager_of_a_cell_says_no_goodbye(clock: Clock) -> None:
    alone = Manager("api-1", {}, clock)
    alone.connect("east-1")
    alone.tell()
    poll(lambda: alone.bus.told, "it has told its connections")
    alone.traffic.stop_serving()
    told = list(alone.bus.told)
    alone.tell()
    alone.traffic.close()
    assert alone.bus.told == told


def test_answers_and_fanouts_are_handed_over(pair: tuple[Manager, Manager]) -> None:
    first, second = pair
    answer = {"message_type": "response", "routing_path": "east", "target_cell": "east!api", "reply_server": "api-2"}
    own = {**answer, "reply_server": "api-1"}
    fanout = {"message_type": "targeted", "fanout": True}
    assert first.traffic.sort("east", "east-1", [answer, own, fanout]) == [own, fanout]
    assert first.traffic.sort("east", "east-1", [answer]) is None
    assert first.traffic.sort("east", "east-1", json.dumps(answer)) is None
    assert first.traffic.sort("east", "east-1", "no JSON") == "no JSON"
    poll(lambda: len(second.taken) == 4, "the messages are handed over")
    assert second.taken == [("east", [answer]), ("east", [fanout]), ("east", [answer]), ("east", answer)]
    assert second.traffic.sort("east", "east-1", [fanout]) == [fanout]
    assert first.taken == []


def test_messages_that_cannot_be_handed_over_are_counted(pair: tuple[Manager, Manager]) -> None:
    first, _ = pair
    first.bus.error = exceptions.NeighborUnreachable("no answer")
    first.traffic.sort("east", "east-1", [{"fanout": True}])
    poll(lambda: first.counters.as_dict() == {"stranded.NeighborUnreachable": 1}, "it is counted")

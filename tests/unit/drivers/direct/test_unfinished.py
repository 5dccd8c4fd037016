"""Messages that managers of one neighbor begin and do not complete."""

from __future__ import annotations

import dataclasses

import pytest

from cells.drivers.direct import errors
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.unfinished import Unfinished
from tests.clock import Clock
from tests.unit.drivers.direct.joined import Joined, Manager, hello

SIZE = 300_000


def test_a_bound_and_what_is_given_back() -> None:
    unfinished = Unfinished(100)
    unfinished.take(800)
    with pytest.raises(errors.ProtocolViolation):
        unfinished.take(1)
    unfinished.give_back(800)
    unfinished.take(800)


@pytest.fixture
def bob(clock: Clock) -> Manager:
    """A manager whose sessions with one neighbor share a bound, of one longest message."""
    bob = Manager(hello("b", max_message_bytes=SIZE), clock)
    bob.settings = dataclasses.replace(bob.settings, unfinished=Unfinished(SIZE // 8))
    return bob


def begun(name: str, bob: Manager, clock: Clock) -> Joined:
    """Return a connection of another manager, which has sent two thirds of a message."""
    alice = Manager(hello(name), clock)
    link = Joined(alice, bob)
    link.run()
    assert link.is_open
    alice.send(link.left, MessageClass.REQUEST, name.encode() * SIZE)
    link.pull(0, 2 * SIZE // 3)
    link.deliver(1)
    return link


def test_the_connection_that_exceeds_it_ends(bob: Manager, clock: Clock) -> None:
    first, second = begun("a", bob, clock), begun("c", bob, clock)
    assert isinstance(second.right.error, errors.ProtocolViolation)
    assert first.is_open
    first.run()
    assert bob.payloads() == [b"a" * SIZE]


@pytest.mark.parametrize("ends", ["cut", "leave", "replace"])
def test_an_end_gives_its_part_back(bob: Manager, clock: Clock, ends: str) -> None:
    first = begun("a", bob, clock)
    if ends == "cut":
        first.cut()
    elif ends == "leave":
        bob.record(first.right, first.right.leave("a stop"))
    else:
        bob.record(first.right, first.right.replace())
    second = begun("c", bob, clock)
    second.run()
    assert bob.payloads() == [b"c" * SIZE]


def test_complete_messages_do_not_count(bob: Manager, clock: Clock) -> None:
    link = begun("a", bob, clock)
    link.run()
    for number in range(5):
        link.ends[0].manager.send(link.left, MessageClass.REQUEST, bytes([number]) * SIZE)
        link.settle()
        bob.return_credit()
        link.settle()
    assert len(bob.payloads()) == 6

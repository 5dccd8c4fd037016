"""Messages of a connection that broke, and which of several connections between two managers stays."""

from __future__ import annotations

import pytest

from cells.drivers.direct import errors
from cells.drivers.direct.events import Acknowledged, MayHaveArrived, NotSent
from cells.drivers.direct.frames import MessageClass, Messages, Part
from cells.drivers.direct.session import State
from tests.clock import Clock
from tests.unit.drivers.direct.joined import Joined, Manager, hello

REQUEST, RESPONSE = MessageClass.REQUEST, MessageClass.RESPONSE


def again(dialer: Manager, acceptor: Manager) -> Joined:
    dialer.clock.advance(1.0)
    link = Joined(dialer, acceptor)
    link.run()
    return link


@pytest.fixture
def broken(link: Joined, alice: Manager, bob: Manager) -> Joined:
    """Alice has sent two messages: bob took the first, the second was on its way.  A third message waited."""
    alice.send(link.left, REQUEST, b"taken")
    link.pull(0)
    link.deliver(1)
    alice.send(link.left, REQUEST, b"on its way")
    link.pull(0)
    alice.send(link.left, REQUEST, b"waits")
    link.cut()
    return link


def test_a_message_that_waited_was_not_sent(broken: Joined, alice: Manager) -> None:
    assert alice.of(NotSent) == {(REQUEST, b"waits")}


def test_the_same_incarnation_states_what_it_took(broken: Joined, alice: Manager, bob: Manager) -> None:
    again(alice, bob)
    assert alice.of(Acknowledged) == {(REQUEST, b"taken")}
    assert alice.of(NotSent) == {(REQUEST, b"waits"), (REQUEST, b"on its way")}


def test_either_side_may_dial_again(broken: Joined, alice: Manager, bob: Manager) -> None:
    assert again(bob, alice).is_open
    assert alice.of(Acknowledged) == {(REQUEST, b"taken")}


def test_a_message_that_was_not_sent_is_sent_again_by_the_driver(broken: Joined, alice: Manager, bob: Manager) -> None:
    link = again(alice, bob)
    assert alice.send(link.left, REQUEST, b"on its way", "again")
    link.settle()
    assert bob.payloads() == [b"taken", b"on its way"]
    assert alice.outcomes["again"] == [Acknowledged]


def test_nobody_knows_after_a_restart(broken: Joined, alice: Manager, bob: Manager) -> None:
    restarted = Manager(hello("b", "c"), bob.clock)
    link = again(alice, restarted)
    assert link.is_open
    [stream] = [stream for incarnation, stream in alice.streams.items() if incarnation == bob.own.incarnation]
    alice.record(None, stream.give_up())
    assert alice.of(MayHaveArrived) == {(REQUEST, b"taken"), (REQUEST, b"on its way")}
    assert stream.give_up() == []


def test_a_peer_that_has_forgotten_its_marks_is_not_believed(broken: Joined, alice: Manager, bob: Manager) -> None:
    bob.streams.clear()
    link = again(alice, bob)
    assert link.is_open
    assert alice.of(MayHaveArrived) == {(REQUEST, b"taken"), (REQUEST, b"on its way")}
    assert alice.send(link.left, REQUEST, b"new")
    link.settle()
    assert bob.payloads() == [b"taken", b"new"]


def test_a_side_that_has_forgotten_continues_at_the_mark_of_its_peer(
    broken: Joined, alice: Manager, bob: Manager
) -> None:
    alice.streams.clear()
    link = again(alice, bob)
    assert alice.send(link.left, REQUEST, b"new")
    link.settle()
    assert bob.payloads() == [b"taken", b"new"]


def test_a_new_connection_of_the_same_dialer_replaces_the_old_one(link: Joined, alice: Manager, bob: Manager) -> None:
    bob.send(link.right, RESPONSE, b"sent")
    link.pull(1)
    bob.send(link.right, RESPONSE, b"waits")
    link.lose(0)
    newer = again(alice, bob)
    assert newer.is_open
    assert link.right.next_deadline() < alice.clock()
    assert isinstance(link.right.error, errors.NotNeeded)
    assert [event.keys for event in bob.events if isinstance(event, NotSent)] == [
        [(RESPONSE, b"sent")],
        [(RESPONSE, b"waits")],
    ]


def test_nothing_is_taken_from_a_connection_that_was_replaced(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"in the socket of a frozen manager")
    link.pull(0)
    link.lose(0)
    in_the_socket = bytes(link.ends[1].pipe)
    assert again(alice, bob).is_open
    bob.record(link.right, link.right.receive(in_the_socket))
    assert bob.payloads() == []
    assert len(alice.of(NotSent)) == 1


def test_a_second_address_of_the_same_manager_is_not_needed(link: Joined, alice: Manager, bob: Manager) -> None:
    second = again(alice, bob)
    assert isinstance(second.left.error, errors.NotNeeded)
    assert link.is_open


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_sides_that_dial_at_once_the_lower_incarnation_wins(alice: Manager, bob: Manager, first: int) -> None:
    links = [Joined(alice, bob), Joined(bob, alice)]
    for _ in range(4):
        for link in (links[first], links[1 - first]):
            for side in (0, 1):
                link.pull(side)
        for link in (links[first], links[1 - first]):
            for side in (0, 1):
                link.deliver(side)
    assert links[0].is_open
    assert {links[1].left.state, links[1].right.state} == {State.ENDED}


def test_a_statement_that_was_read_too_late_decides_nothing(alice: Manager, bob: Manager) -> None:
    """Alice abandons a dial; her answer to the hello stays in the socket of bob, who reads it after a later one."""
    abandoned = Joined(alice, bob)
    abandoned.pull(1)
    abandoned.deliver(0)
    abandoned.pull(0)
    abandoned.lose(0)
    late = bytes(abandoned.ends[1].pipe)
    link = again(alice, bob)
    bob.send(link.right, REQUEST, b"taken after the statement")
    link.run()
    bob.record(abandoned.right, abandoned.right.receive(late))
    assert isinstance(abandoned.right.error, errors.NotNeeded)
    link.settle()
    assert link.is_open
    assert bob.of(Acknowledged) == bob.sent


def test_a_message_with_a_known_number_is_dropped(link: Joined, bob: Manager) -> None:
    for first, payloads in ((1, [b"1", b"2"]), (2, [b"2", b"3"]), (1, [b"1"])):
        frame = Messages(REQUEST, first, 0, [0] * len(payloads), payloads)
        bob.record(link.right, link.right.receive(frame.encode()))
    for number in (3, 4):
        frame = Part(REQUEST, number, 0, 0, 1, 0, b"%d" % number)
        bob.record(link.right, link.right.receive(frame.encode()))
    assert bob.payloads() == [b"1", b"2", b"3", b"4"]
    # The credit of the dropped messages is returned already.
    bob.return_credit()
    with pytest.raises(ValueError, match="credit"):
        link.right.release(REQUEST, 1, 0)


def test_a_long_message_that_was_cut_was_not_sent(link: Joined, alice: Manager, bob: Manager, clock: Clock) -> None:
    alice.send(link.left, REQUEST, b"x" * 200_000)
    link.pull(0, 1)
    link.deliver(1)
    link.cut()
    assert alice.of(NotSent) == alice.sent
    newer = again(alice, bob)
    alice.send(newer.left, REQUEST, b"y" * 200_000)
    newer.settle()
    assert bob.payloads() == [b"y" * 200_000]

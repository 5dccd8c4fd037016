"""Credit per class: a receiver that does not keep up holds back one class, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.drivers.direct import errors
from cells.drivers.direct.events import Acknowledged
from cells.drivers.direct.frames import MessageClass, Messages
from cells.drivers.direct.hello import Window
from tests.clock import Clock
from tests.unit.drivers.direct.joined import Joined, Manager, hello

REQUEST, RESPONSE, CONTROL = MessageClass.REQUEST, MessageClass.RESPONSE, MessageClass.CONTROL
WINDOW = Window(messages=3, bytes=2000)


@pytest.fixture
def bob(clock: Clock) -> Manager:
    return Manager(hello("b", window=WINDOW), clock)


def test_messages_wait_for_credit(link: Joined, alice: Manager, bob: Manager) -> None:
    payloads = [b"%d" % number for number in range(8)]
    for payload in payloads:
        alice.send(link.left, REQUEST, payload)
    link.settle()
    assert bob.payloads() == payloads[:3]
    for _ in range(3):
        bob.return_credit()
        link.settle()
    assert bob.payloads() == payloads


def test_bytes_wait_for_credit(link: Joined, alice: Manager, bob: Manager) -> None:
    for number in range(3):
        alice.send(link.left, REQUEST, b"%d" % number * 900)
    link.settle()
    assert len(bob.payloads()) == 2
    bob.return_credit()
    link.settle()
    assert len(bob.payloads()) == 3


@pytest.mark.parametrize("size", [2001, 100_000])
def test_a_message_above_the_window_takes_all_of_it(link: Joined, alice: Manager, bob: Manager, size: int) -> None:
    for number in range(2):
        alice.send(link.left, REQUEST, b"%d" % number * size)
    link.settle()
    assert len(bob.payloads()) == 1
    bob.return_credit()
    link.settle()
    assert len(bob.payloads()) == 2


def test_a_class_without_credit_blocks_no_other(link: Joined, alice: Manager, bob: Manager) -> None:
    while alice.send(link.left, REQUEST, b"%d" % len(alice.sent)):
        pass
    link.settle()
    alice.send(link.left, RESPONSE, b"response")
    alice.send(link.left, CONTROL, b"control")
    link.settle()
    assert bob.payloads(RESPONSE) == [b"response"]
    assert bob.payloads(CONTROL) == [b"control"]
    assert alice.of(Acknowledged) >= {(RESPONSE, b"response"), (CONTROL, b"control")}


def test_urgent_messages_pass_those_that_wait(link: Joined, alice: Manager, bob: Manager) -> None:
    casts = [b"cast %d" % number for number in range(6)]
    for payload in casts:
        alice.send(link.left, REQUEST, payload)
    link.settle()
    calls = [b"call 1", b"call 2"]
    for payload in calls:
        alice.send(link.left, REQUEST, payload, is_urgent=True)
    for _ in range(3):
        bob.return_credit()
        link.settle()
    assert bob.payloads() == [*casts[:3], *calls, *casts[3:]]


def test_an_urgent_message_waits_for_the_parts_of_another(clock: Clock) -> None:
    alice, bob = Manager(hello("a"), clock), Manager(hello("b"), clock)
    link = Joined(alice, bob)
    link.settle()
    large = bytes(1_000_000)
    alice.send(link.left, REQUEST, large)
    link.pull(0, limit=70_000)
    alice.send(link.left, REQUEST, b"cast")
    alice.send(link.left, REQUEST, b"call", is_urgent=True)
    link.settle()
    assert bob.payloads() == [large, b"call", b"cast"]


def test_both_sides_without_credit_for_requests_answer(clock: Clock) -> None:
    link = Joined(*(Manager(hello(name, window=WINDOW), clock) for name in "ab"))
    link.run()
    for end in link.ends:
        for number in range(20):
            end.manager.send(end.session, REQUEST, b"request %d" % number)
    link.settle()
    for end in link.ends:
        assert end.manager.send(end.session, RESPONSE, b"response")
    link.settle()
    assert [end.manager.payloads(RESPONSE) for end in link.ends] == [[b"response"]] * 2


@pytest.mark.parametrize("queue", [Window(messages=5), Window(bytes=5 * 1024)])
def test_the_queue_of_a_class_is_bounded(bob: Manager, clock: Clock, queue: Window) -> None:
    alice = Manager(hello("a"), clock, queue)
    link = Joined(alice, bob)
    link.run()
    accepted = [alice.send(link.left, REQUEST, b"%04d" % number * 256) for number in range(10)]
    # Messages count until they are acknowledged.
    link.pull(0)
    accepted.append(alice.send(link.left, REQUEST, b"late"))
    assert accepted == [True] * 5 + [False] * 6
    assert alice.send(link.left, RESPONSE, b"response")
    link.settle()
    assert alice.send(link.left, REQUEST, b"later")


@pytest.mark.parametrize("payloads", [[b""] * 4, [b"x" * 1500, b"x" * 501]])
def test_a_peer_that_exceeds_its_credit(link: Joined, alice: Manager, bob: Manager, payloads: list[bytes]) -> None:
    link.right.receive(Messages(REQUEST, 1, 0, [0] * len(payloads), payloads).encode())
    assert isinstance(link.right.error, errors.ProtocolViolation)


def test_credit_that_no_message_took(link: Joined) -> None:
    with pytest.raises(ValueError, match="credit"):
        link.right.release(REQUEST, 1, 0)


def test_credit_of_a_connection_that_has_ended(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"x")
    link.run()
    link.cut()
    bob.return_credit()
    assert link.right.bytes_to_send() == b""


@given(st.lists(st.tuples(st.sampled_from(MessageClass), st.integers(0, 6000), st.booleans()), max_size=30))
def test_messages_that_find_credit_arrive(messages: list[tuple[MessageClass, int, bool]]) -> None:
    clock = Clock()
    alice, bob = Manager(hello("a"), clock), Manager(hello("b", window=WINDOW, max_frame_bytes=4096), clock)
    link = Joined(alice, bob)
    link.run()
    for number, (message_class, size, is_settled) in enumerate(messages):
        assert alice.send(link.left, message_class, b"%d" % number + b"x" * size, number)
        if is_settled:
            link.settle()
            bob.return_credit()
    for _ in messages:
        link.settle()
        bob.return_credit()
    assert alice.of(Acknowledged) == alice.sent
    for message_class in MessageClass:
        numbers = [int(payload.rstrip(b"x")) for payload in bob.payloads(message_class)]
        assert numbers == [number for number, message in enumerate(messages) if message[0] is message_class]

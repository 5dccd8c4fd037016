"""One connection: greeting, delivery, acknowledgement, heartbeats and goodbye."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.events import Acknowledged, Connected, Ended, NotSent, Received
from cells.drivers.direct.frames import ALL_CLASSES, MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.session import Session, State
from cells.drivers.direct.stream import Stream
from tests.clock import Clock
from tests.unit.drivers.direct.joined import HEARTBEAT, Joined, Manager, hello

REQUEST, RESPONSE, CONTROL = MessageClass.REQUEST, MessageClass.RESPONSE, MessageClass.CONTROL


def test_both_sides_learn_the_other(link: Joined, alice: Manager, bob: Manager) -> None:
    assert (link.left.peer, link.right.peer) == (bob.own, alice.own)
    assert Connected(bob.own) in alice.events


def test_a_hello_alone_does_not_connect(alice: Manager, bob: Manager) -> None:
    link = Joined(alice, bob)
    link.pull(1)
    link.deliver(0)
    assert not link.left.send(REQUEST, b"x", 1)
    assert not [event for event in alice.events if isinstance(event, Connected)]


def test_messages_arrive_in_order_and_are_acknowledged(link: Joined, alice: Manager, bob: Manager) -> None:
    payloads = [str(number).encode() for number in range(200)]
    assert all(alice.send(link.left, REQUEST, payload) for payload in payloads)
    link.settle()
    assert bob.payloads() == payloads
    assert alice.of(Acknowledged) == alice.sent


def test_many_small_messages_share_a_frame(link: Joined, alice: Manager, bob: Manager) -> None:
    for number in range(60):
        alice.send(link.left, REQUEST, b"%d" % number)
    link.run()
    assert [len(event.payloads) for event in bob.events if isinstance(event, Received)] == [60]


def test_an_acknowledgement_is_sent_alone_at_its_deadline(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"x")
    link.run()
    assert not alice.of(Acknowledged)
    assert bob.clock() + 0.01 < link.right.next_deadline() < bob.clock() + 0.05
    link.right.acknowledge_soon()
    assert link.right.next_deadline() < bob.clock() + 0.01
    alice.clock.advance(0.01)
    link.run()
    assert alice.of(Acknowledged) == alice.sent


def test_acknowledgements_of_several_messages_share_the_next_answer(link: Joined, alice: Manager, bob: Manager) -> None:
    for number in range(3):
        alice.send(link.left, REQUEST, b"%d" % number)
        link.run()
        bob.send(link.right, RESPONSE, b"%d" % number)
        link.run()
        assert bool(alice.of(Acknowledged)) == (number == 2)
        alice.clock.advance(0.006)
    assert alice.of(Acknowledged) == alice.sent
    assert alice.payloads(RESPONSE) == [b"0", b"1", b"2"]


def test_an_acknowledgement_for_which_a_sender_waits_rides_on_an_answer(
    link: Joined, alice: Manager, bob: Manager
) -> None:
    alice.send(link.left, REQUEST, b"x")
    link.run()
    link.right.acknowledge_soon()
    bob.send(link.right, RESPONSE, b"y")
    link.run()
    assert alice.of(Acknowledged) == alice.sent
    assert alice.payloads(RESPONSE) == [b"y"]


@pytest.mark.parametrize("size", [65_499, 65_500, 65_536, 200_000, 5_000_000])
def test_long_messages(link: Joined, alice: Manager, bob: Manager, size: int) -> None:
    long, after = bytes(range(256)) * (size // 256) + b"x" * (size % 256), b"after"
    alice.send(link.left, REQUEST, long)
    alice.send(link.left, REQUEST, after)
    link.run()
    bob.return_credit()
    link.settle()
    assert bob.payloads() == [long, after]
    assert alice.of(Acknowledged) == alice.sent


def test_other_classes_pass_a_long_message(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"x" * 1_000_000)
    link.pull(0, 100_000)
    alice.send(link.left, CONTROL, b"control")
    alice.send(link.left, RESPONSE, b"response")
    link.pull(0, 200_000)
    link.deliver(1)
    assert (bob.payloads(CONTROL), bob.payloads(RESPONSE), bob.payloads(REQUEST)) == ([b"control"], [b"response"], [])


def test_heartbeats_pass_a_long_message(link: Joined, alice: Manager) -> None:
    alice.send(link.left, REQUEST, b"x" * 1_000_000)
    for _ in range(4):
        alice.clock.advance(HEARTBEAT)
        link.pull(0, 1)
        link.pull(1, 1)
        link.deliver(0)
        link.deliver(1)
        assert link.left.tick() == link.right.tick() == []
    assert link.right.round_trip == 0.0


def test_a_message_that_the_peer_does_not_take(alice: Manager, clock: Clock) -> None:
    link = Joined(alice, Manager(hello("b", max_message_bytes=1000), clock))
    link.run()
    assert link.left.send(REQUEST, b"x" * 1000, 1)
    with pytest.raises(exceptions.MessageTooLarge) as caught:
        link.left.send(REQUEST, b"x" * 1001, 2)
    assert caught.value.limit_bytes == 1000


def test_ages_include_the_time_in_the_queue_and_in_buffers(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"quick")
    link.run()
    alice.send(link.left, REQUEST, b"slow")
    alice.clock.advance(0.25)
    link.pull(0)
    alice.clock.advance(0.5)
    link.deliver(1)
    ages = [age for event in bob.events if isinstance(event, Received) for age in event.ages]
    assert ages == pytest.approx([0.0, 0.75], abs=0.001)


def test_the_round_trip_excludes_the_time_between_heartbeats(link: Joined, alice: Manager) -> None:
    alice.clock.advance(HEARTBEAT)
    link.pull(0)
    alice.clock.advance(0.1)
    link.deliver(1)
    alice.clock.advance(1.0)
    link.pull(1)
    alice.clock.advance(0.2)
    link.deliver(0)
    assert link.left.round_trip == pytest.approx(0.3, abs=0.001)


def test_a_silent_peer_is_dead_after_three_heartbeats(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"sent")
    link.run()
    alice.send(link.left, REQUEST, b"waits")
    alice.clock.advance(3 * HEARTBEAT - 0.01)
    assert link.left.tick() == []
    alice.clock.advance(0.02)
    assert link.left.next_deadline(can_write=False) <= alice.clock()
    events = alice.record(link.left, link.left.tick())
    assert isinstance(events[-1], Ended)
    assert isinstance(link.left.error, errors.PeerSilent)
    assert alice.of(NotSent) == {(REQUEST, b"waits")}


def test_any_frame_is_a_sign_of_life(link: Joined, alice: Manager, bob: Manager) -> None:
    for number in range(10):
        alice.clock.advance(HEARTBEAT)
        bob.send(link.right, RESPONSE, b"%d" % number)
        link.run()
        assert link.left.tick() == []


def test_a_peer_that_does_not_answer_the_hello(alice: Manager, bob: Manager) -> None:
    link = Joined(alice, bob)
    link.pull(1)
    link.deliver(0)
    alice.clock.advance(10.1)
    assert isinstance(link.left.tick()[-1], Ended)
    assert isinstance(link.left.error, errors.HelloTimeout)


def test_a_cell_that_is_refused(alice: Manager, bob: Manager) -> None:
    def refuse(peer: Hello) -> Stream:
        raise exceptions.UnregisteredSender(f"{peer.cell} is no neighbor.")

    bob.stream = refuse  # type: ignore[method-assign]
    link = Joined(alice, bob)
    link.run()
    assert isinstance(link.right.error, errors.PeerRefused)
    assert isinstance(link.left.error, errors.PeerLeft)
    assert "cell-a is no neighbor." in link.left.error.message


def test_a_manager_that_has_dialed_itself(alice: Manager) -> None:
    link = Joined(alice, alice)
    link.run()
    assert {type(link.left.error), type(link.right.error)} <= {errors.PeerRefused, errors.PeerLeft}


def test_goodbye_settles_all_messages(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"taken")
    link.run()
    alice.send(link.left, REQUEST, b"on its way")
    link.pull(0)
    alice.send(link.left, REQUEST, b"waits")
    bob.record(link.right, link.right.leave("SIGTERM"))
    assert not bob.send(link.right, REQUEST, b"too late")
    link.pull(1)
    link.deliver(0)
    link.run()
    assert alice.of(Acknowledged) == {(REQUEST, b"taken")}
    assert alice.of(NotSent) == {(REQUEST, b"on its way"), (REQUEST, b"waits")}
    assert [event.keys for event in alice.events if isinstance(event, NotSent)] == [
        [(REQUEST, b"on its way")],
        [(REQUEST, b"waits")],
    ]
    assert bob.payloads() == [b"taken"]
    assert (link.left.state, link.right.state) == (State.ENDED, State.ENDED)
    assert "SIGTERM" in str(link.left.error)


def test_goodbye_acknowledges_messages_of_the_side_that_leaves(link: Joined, alice: Manager, bob: Manager) -> None:
    bob.send(link.right, RESPONSE, b"last answer")
    link.pull(1)
    bob.record(link.right, link.right.leave("SIGTERM"))
    link.run()
    assert bob.of(Acknowledged) == {(RESPONSE, b"last answer")}


def test_goodbye_to_requests_leaves_responses(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"on its way")
    link.pull(0)
    link.right.stop_taking(frozenset({REQUEST}))
    link.run()
    assert alice.of(NotSent) == {(REQUEST, b"on its way")}
    assert not alice.send(link.left, REQUEST, b"x")
    assert alice.send(link.left, RESPONSE, b"response")
    assert bob.send(link.right, REQUEST, b"request")
    link.settle()
    assert bob.payloads(RESPONSE) == [b"response"]
    assert alice.payloads(REQUEST) == [b"request"]
    assert link.is_open


def test_goodbye_in_the_middle_of_a_long_message(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"x" * 200_000)
    link.pull(0, 1)
    link.deliver(1)
    link.right.stop_taking(ALL_CLASSES - {CONTROL})
    link.run()
    assert len(alice.of(NotSent)) == 1
    assert alice.send(link.left, CONTROL, b"x")
    link.settle()
    assert bob.payloads(CONTROL) == [b"x"]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("00000019 05 0000000000000001 0000000000000000 0000000000000000", id="mark of no message"),
        pytest.param("0000000e 06 00 00000001 0000000000000000", id="more credit than its window"),
        pytest.param("0000001d 03 02 0001 0000000000000002 0000000000000009 00000000 00000000 78", id="gap"),
        pytest.param("0000001f 04 01 0000000000000001 0000000000000009 00000000 00000064 00000001 78", id="2nd part"),
        pytest.param("0000001f 04 01 0000000000000001 0000000000000009 00000000 00000000 00000000 78", id="no total"),
        pytest.param("0000001f 04 01 0000000000000001 0000000000000009 00000000 ffffffff 00000000 78", id="too large"),
        pytest.param("00000029 02" + "00" * 40, id="second answer"),
        pytest.param("00000003 01 7b7d", id="second hello"),
    ],
)
def test_violations(link: Joined, alice: Manager, frame: str) -> None:
    events = alice.record(link.left, link.left.receive(bytes.fromhex(frame)))
    assert isinstance(events[-1], Ended)
    assert isinstance(link.left.error, errors.ProtocolViolation)
    link.run()
    assert isinstance(link.right.error, errors.PeerLeft)


def test_events_before_garbage_count(link: Joined, alice: Manager, bob: Manager) -> None:
    alice.send(link.left, REQUEST, b"taken")
    link.pull(0)
    link.ends[1].pipe += b"garbage"
    link.deliver(1)
    link.run()
    assert bob.payloads() == [b"taken"]
    assert isinstance(link.right.error, errors.ProtocolViolation)
    assert alice.of(Acknowledged) == alice.sent


def test_an_ended_session_stays_silent(link: Joined) -> None:
    link.cut()
    assert link.left.receive(b"garbage") == link.left.tick() == []
    assert link.left.lost("again") == link.left.leave("again") == []
    assert not link.left.send(REQUEST, b"x", 1)
    assert link.left.bytes_to_send() == b""


def test_a_frame_before_the_hello(alice: Manager) -> None:
    session: Session = alice.connect(dialed=False)
    events = session.receive(bytes.fromhex("00000009 07 0000000000000005"))
    assert isinstance(events[-1], Ended)
    assert isinstance(session.error, errors.ProtocolViolation)

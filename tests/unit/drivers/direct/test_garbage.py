"""Bytes that are changed at any position end a session with a named error, or change nothing that matters here."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cells.drivers.direct import errors
from cells.drivers.direct.events import Ended
from cells.drivers.direct.frames import MessageClass
from tests.clock import Clock
from tests.unit.drivers.direct.joined import Joined, Manager, hello


def joined() -> Joined:
    clock = Clock()
    return Joined(Manager(hello("a"), clock), Manager(hello("b", max_frame_bytes=4096), clock))


@given(st.binary(min_size=1, max_size=40), st.integers(0, 1500), st.booleans(), st.booleans())
def test_any_position(garbage: bytes, position: int, replaces: bool, answers: bool) -> None:
    link = joined()
    if answers:
        link.run()
    for message_class in MessageClass:
        link.ends[0].manager.send(link.left, message_class, bytes([message_class]) * 3000)
        link.ends[0].manager.send(link.left, message_class, bytes([message_class]) * 5000)
    link.pull(0)
    pipe = link.ends[1].pipe
    position *= max(1, len(pipe) // 1500)
    pipe[position : position + (len(garbage) if replaces else 0)] = garbage
    for _ in range(4):
        link.deliver(1)
        link.pull(1)
        link.deliver(0)
        link.pull(0)
    for end in link.ends:
        end.manager.clock.advance(100.0)
        end.manager.record(end.session, end.session.tick())
        assert isinstance(end.session.error, errors.ConnectionEnded)
        assert [event for event in end.manager.events if isinstance(event, Ended)] == [Ended(end.session.error)]


@given(st.binary(max_size=100))
def test_a_hello_of_any_bytes(body: bytes) -> None:
    link = joined()
    link.right.receive((len(body) + 1).to_bytes(4, "big") + b"\1" + body)
    assert isinstance(link.right.error, errors.MalformedFrame)

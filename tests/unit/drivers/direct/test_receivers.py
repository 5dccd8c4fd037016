"""Receivers: messages that wait are handed on together, in their order, without becoming older than they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.events import Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.receivers import Receivers
from cells.worker_threads import Runtime
from tests.clock import Clock


class Link:
    """A link that notes the credit that it returns."""

    name = "east"

    def __init__(self) -> None:
        self.released: list[tuple[int, int]] = []

    def release(self, connection: Any, received: Received) -> None:  # the signature of a link
        self.released.append((len(received.payloads), received.charge))


class Handed:
    """Receivers, and what they hand on: the payloads and the age of each call."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.link = Link()
        self.calls: list[tuple[list[bytes], float]] = []
        self._receivers = Receivers(self._take, CastCustody(None), Runtime(clock=self.clock))

    def _take(self, _name: str, _class: MessageClass, payloads: Any, age: float, _host: str) -> None:
        self.calls.append((list(payloads), age))

    def put(
        self, connection: Any, *payloads: bytes, age: float = 0.0, kind: MessageClass = MessageClass.REQUEST
    ) -> None:
        received = Received(kind, payloads, [age] * len(payloads), sum(map(len, payloads)))
        self._receivers.put(self.link, connection, received)

    def serve(self) -> list[list[bytes]]:
        loop: Any = SimpleNamespace(leave=lambda: 0, come_back=lambda _turn: None)
        self._receivers.serve(loop)
        return [payloads for payloads, _ in self.calls]


@pytest.fixture
def handed() -> Handed:
    return Handed()


ONE, OTHER = (SimpleNamespace(session=None) for _ in range(2))


def test_frames_that_wait_are_handed_on_together(handed: Handed) -> None:
    for payload in (b"a", b"bc", b"d"):
        handed.put(ONE, payload)
    assert handed.serve() == [[b"a", b"bc", b"d"]]
    assert handed.link.released == [(3, 4)]


def test_those_of_other_managers_and_classes_are_not(handed: Handed) -> None:
    handed.put(ONE, b"a")
    handed.put(OTHER, b"b")
    handed.put(ONE, b"c")
    handed.put(ONE, b"answer", kind=MessageClass.RESPONSE)
    assert sorted(handed.serve()) == [[b"a"], [b"answer"], [b"b"], [b"c"]]


def test_their_number_is_bounded(handed: Handed) -> None:
    for number in range(1000):
        handed.put(ONE, b"%d" % number)
    found = handed.serve()
    assert [payload for payloads in found for payload in payloads] == [b"%d" % number for number in range(1000)]
    assert max(map(len, found)) == 256


def test_a_young_message_does_not_become_old(handed: Handed) -> None:
    handed.put(ONE, b"old", age=5.0)
    handed.put(ONE, b"young")
    handed.serve()
    assert handed.calls == [([b"old"], 5.0), ([b"young"], 0.0)]

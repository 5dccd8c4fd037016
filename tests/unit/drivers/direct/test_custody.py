"""Casts that are counted between their acknowledgement and their processing."""

from __future__ import annotations

import json

import pytest

from cells import exceptions
from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.frames import MessageClass
from cells.messages import Content, TargetedHeader, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath


class Ledger:
    def __init__(self) -> None:
        self.in_flight = 0

    def take(self, casts: int) -> None:
        self.in_flight += casts

    def pass_on(self, casts: int) -> None:
        self.in_flight -= casts

    def refuse(self, casts: int, error: exceptions.CellsError) -> None:
        raise AssertionError


def payload(*, is_cast: bool) -> bytes:
    header = TargetedHeader(
        method="note",
        direction=Direction.DOWN,
        route=CellPath.parse("api"),
        target=CellPath.parse("api!east"),
        needs_response=not is_cast,
    )
    text = json.dumps({"need_response": False})
    sealed = TargetedMessage(header=header, payload=Content({"text": text})).sealed("1.4", 10_000)
    return f"[{json.dumps(sealed.to_item())}]".encode()


@pytest.mark.parametrize(
    ("message_class", "casts"), [(MessageClass.REQUEST, 2), (MessageClass.RESPONSE, 0), (MessageClass.CONTROL, 0)]
)
def test_casts_are_in_flight_until_they_are_handed_on(message_class: MessageClass, casts: int) -> None:
    ledger = Ledger()
    custody = CastCustody(ledger)
    count = custody.begin(message_class, [payload(is_cast=True), payload(is_cast=False), payload(is_cast=True)])
    assert ledger.in_flight == casts
    custody.end(count)
    assert ledger.in_flight == 0


def test_nothing_is_counted_without_a_ledger() -> None:
    custody = CastCustody(None)
    custody.end(custody.begin(MessageClass.REQUEST, [payload(is_cast=True)]))

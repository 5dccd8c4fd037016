"""The wire format of requests and answers, and the rejection of anything else."""

from __future__ import annotations

import datetime
import random
import uuid

import pytest

from cells.brokerless import frames
from cells.brokerless.frames import Answer, MalformedFrames, Request
from tests.cases import each

REQUEST = Request(frames.CALL, b"1" * 16, "openstack~cells.node", "audit", b"{}")


def with_fields(*fields: bytes) -> list[bytes]:
    return [b"\0".join(fields), b"{}"]


def test_wire_format_of_a_request() -> None:
    expected = [b"cells1\0call\0" + b"1" * 16 + b"\0openstack~cells.node\0audit", b"{}"]
    assert REQUEST.to_frames() == expected
    assert frames.read_request(expected) == REQUEST


def test_wire_format_of_an_answer() -> None:
    answer = Answer(frames.REPLY, b"1" * 16, b"null")
    assert answer.to_frames() == [b"cells1\0reply\0" + b"1" * 16, b"null"]
    assert frames.read_answer(answer.to_frames()) == answer


@each("pool", ["", "*", "audit", "a\0b", "Größe 1%"])
def test_pool_may_have_any_name(pool: str) -> None:
    assert frames.read_request(REQUEST._replace(pool=pool).to_frames()).pool == pool


@each(
    "received",
    [
        *([], [b""], [b"cells1"], REQUEST.to_frames()[:-1], [*REQUEST.to_frames(), b""]),
        *(with_fields(b"cells", b"call", b"1", b"key", b""), with_fields(b"cells1", b"CALL", b"1", b"key", b"")),
        *(with_fields(b"cells1", b"reply", b"1", b"key", b""), with_fields(b"cells1", b"call", b"", b"key", b"")),
        *(with_fields(b"cells1", b"call", b"1", b"key"), with_fields(b"cells1", b"call", b"1", b"key", b"", b"")),
        *(with_fields(b"cells1", b"call", b"1", b"k" * 2048, b""), with_fields(b"cells1", b"call", b"1", b"\xff", b"")),
        with_fields(b"cells1", b"call", b"1", b"key", b"\xc3"),
    ],
)
def test_malformed_request(received: list[bytes]) -> None:
    with pytest.raises(MalformedFrames):
        frames.read_request(received)


@each("received", [[], [b"cells1"], [b"cells1\0reply\x001"], [b"x\0reply\x001", b""]])
def test_malformed_answer(received: list[bytes]) -> None:
    with pytest.raises(MalformedFrames):
        frames.read_answer(received)


def test_error_names_another_protocol_version_and_stays_short() -> None:
    with pytest.raises(MalformedFrames, match="cells2") as raised:
        frames.read_request([b"cells2" + b"x" * 1000 + b"\0call", b"{}"])
    assert len(str(raised.value)) < 200


def test_random_frames_raise_no_other_error() -> None:
    chance = random.Random(1)  # the same frames in every run
    for _ in range(2_000):
        received = [
            chance.choice([b"cells1", b"cells1\0call\x001\0k\0", b"", chance.randbytes(9)])
            for _ in range(chance.randint(0, 8))
        ]
        for read in (frames.read_request, frames.read_answer):
            try:
                read(received)
            except MalformedFrames:
                continue
            assert received[0].startswith(frames.PROTOCOL)


@each("value", [None, 0, "Größe \U0001f600", [1, {"a": [None, True, 1.5]}], {}, "\ud800"])
def test_json_round_trip(value: object) -> None:
    assert frames.decode(frames.encode(value)) == value


def test_values_without_json_form_are_converted_as_oslo_does() -> None:
    number = uuid.UUID(int=1)
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    assert frames.decode(frames.encode([number, moment, {1}])) == [str(number), "2026-01-02T03:04:05.000000", [1]]


def test_value_that_cannot_be_converted_is_an_error() -> None:
    itself: list[object] = []
    itself.append(itself)
    with pytest.raises(ValueError, match="Circular"):  # the text of json
        frames.encode(itself)
    with pytest.raises(TypeError):
        frames.encode({(1, 2): 3})


@each("body", [b"", b"{", b"\xff\xfe\x00", b"\x80", b"[" * 100_000, b"nul", b"1 2"])
def test_malformed_body(body: bytes) -> None:
    with pytest.raises(MalformedFrames):
        frames.decode(body)

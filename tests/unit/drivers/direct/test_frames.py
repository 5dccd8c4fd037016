"""Frames byte by byte, in any pieces, and the errors about bytes that are none."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.drivers.direct import errors, frames
from cells.drivers.direct.frames import (
    Ack,
    Credit,
    Decoder,
    Echo,
    Frame,
    Goodbye,
    Heartbeat,
    MessageClass,
    Messages,
    Part,
    Welcome,
)
from tests.cases import each

FRAMES: list[tuple[Frame, str]] = [
    (
        Welcome(1, 2, (3, 4, 5)),
        "00000029 02 0000000000000001 0000000000000002 " + "".join(f"{n:016x}" for n in (3, 4, 5)),
    ),
    (
        Messages(MessageClass.REQUEST, 7, 9, (1, 2), [b"ab", b"c"]),
        "00000027 03 02 0002 0000000000000007 0000000000000009 00000002 00000001 00000001 00000002 6162 63",
    ),
    (
        Part(MessageClass.RESPONSE, 7, 9, 1, 300, 200, b"ab"),
        "00000020 04 01 0000000000000007 0000000000000009 00000001 0000012c 000000c8 6162",
    ),
    (Ack((1, 2, 3)), "00000019 05 " + "".join(f"{n:016x}" for n in (1, 2, 3))),
    (Credit(MessageClass.CONTROL, 3, 4), "0000000e 06 00 00000003 0000000000000004"),
    (Heartbeat(5, None), "00000009 07 0000000000000005"),
    (Heartbeat(5, Echo(6, 7)), "00000019 07 0000000000000005 0000000000000006 0000000000000007"),
    (
        Goodbye(frozenset({MessageClass.REQUEST}), (1, 2, 3), "é"),
        "0000001c 08 04 " + "".join(f"{n:016x}" for n in (1, 2, 3)) + "c3a9",
    ),
]
HELLO = frames.encode_hello(b"{}")
ALL = HELLO + b"".join(frame.encode() for frame, _ in FRAMES)


def decode(data: bytes, decoder: Decoder | None = None) -> list[object]:
    found = (decoder or Decoder()).feed(data)
    return [body if kind == frames.HELLO else frames.decode(kind, body) for kind, body in found]


@each("frame, text", FRAMES)
def test_layout(frame: Frame, text: str) -> None:
    assert frame.encode() == bytes.fromhex(text)
    [decoded] = decode(frame.encode())
    assert decoded == frame


@given(st.lists(st.integers(0, len(ALL)), max_size=8))
def test_pieces_of_any_size(cuts: list[int]) -> None:
    decoder, bounds = Decoder(), [0, *sorted(cuts), len(ALL)]
    found = [frame for start, stop in itertools.pairwise(bounds) for frame in decode(ALL[start:stop], decoder)]
    assert found == [b"{}", *(frame for frame, _ in FRAMES)]


def test_byte_by_byte() -> None:
    decoder = Decoder()
    assert sum(len(decode(ALL[index : index + 1], decoder)) for index in range(len(ALL))) == 1 + len(FRAMES)


def test_unknown_optional_frames_are_skipped() -> None:
    optional = bytes.fromhex("00000003 ff 0102")
    assert decode(optional + HELLO + optional + HELLO) == [b"{}", b"{}"]


@each(
    "data, error",
    [
        (b"GET / HTTP/1.1\r\n", errors.FrameTooLong),
        (bytes.fromhex("00000000 01"), errors.FrameTooLong),
        (bytes.fromhex("0000fffd 01"), errors.FrameTooLong),
        (bytes.fromhex("00000001 7f"), errors.UnknownFrameType),
        (bytes.fromhex("00000001 00"), errors.UnknownFrameType),
        (bytes.fromhex("00000002 05 00"), errors.MalformedFrame),
        (bytes.fromhex("0000000e 06 03 00000003 0000000000000004"), errors.MalformedFrame),
        # No message; lengths that do not fit the frame.
        (bytes.fromhex("00000014 03 02 0000 0000000000000007 0000000000000009"), errors.MalformedFrame),
        (FRAMES[1][0].encode()[:-1].replace(b"\x27", b"\x26", 1), errors.MalformedFrame),
        (bytes.fromhex("00000028") + FRAMES[1][0].encode()[4:] + b"x", errors.MalformedFrame),
        (Ack((2**63, 0, 0)).encode(), errors.MalformedFrame),
    ],
)
def test_garbage(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(data)


def test_frames_before_garbage_are_read() -> None:
    found = Decoder().feed(HELLO + bytes.fromhex("00000001 00"))
    assert next(found) == (frames.HELLO, b"{}")
    with pytest.raises(errors.UnknownFrameType):
        next(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_named_error(data: bytes) -> None:
    with contextlib.suppress(errors.ProtocolViolation):
        decode(data)


@given(st.integers(frames.WELCOME, frames.GOODBYE), st.binary(max_size=80))
def test_any_body_is_read_or_a_named_error(kind: int, body: bytes) -> None:
    with contextlib.suppress(errors.MalformedFrame):
        assert frames.decode(kind, body).encode()[4:] == bytes([kind]) + body or kind == frames.GOODBYE

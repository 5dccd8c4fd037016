"""Frames of a direct link: a length, a type and a body.

All numbers are big-endian and unsigned.  Times are in microseconds of the sender's link clock, whose origin only the
sender knows.
"""

from __future__ import annotations

import enum
import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cells.drivers.direct import errors

#: Length of a whole frame.
MAX_FRAME_BYTES = 65536
#: Each side takes frames of at least this length, so that a hello fits.
MIN_FRAME_BYTES = 4096

HELLO = 1
WELCOME = 2
MESSAGES = 3
PART = 4
ACK = 5
CREDIT = 6
HEARTBEAT = 7
GOODBYE = 8
_KNOWN = frozenset((HELLO, WELCOME, MESSAGES, PART, ACK, CREDIT, HEARTBEAT, GOODBYE))
#: A frame of an unknown type with this bit is skipped.
OPTIONAL = 0x80

_HEAD = struct.Struct(">IB")
_LENGTH_BYTES = 4
_WELCOME = struct.Struct(">QQ3Q")
_MESSAGES = struct.Struct(">BHQQ")
_PART = struct.Struct(">BQQIII")
_MARKS = struct.Struct(">3Q")
_CREDIT = struct.Struct(">BIQ")
_CLOCK = struct.Struct(">Q")
_ECHO = struct.Struct(">QQQ")
_GOODBYE = struct.Struct(">B3Q")

#: Bytes of a frame of messages without its messages; bytes of a message in it without the payload.
MESSAGES_HEAD_BYTES = _HEAD.size + _MESSAGES.size
ENTRY_BYTES = 8
MAX_ENTRIES = 4096
PART_HEAD_BYTES = _HEAD.size + _PART.size
#: Ages are saturated.
MAX_AGE = 2**32 - 1
#: A higher number of a message is an error, so that the numbers after it still fit.
MAX_MARK = 2**62
MAX_REASON_BYTES = 1024

#: For each class, in the order of their numbers: the number of the last message that a side has taken.
Marks = tuple[int, int, int]


class MessageClass(enum.IntEnum):
    """Classes of messages; each has its own order, numbers, marks and credit, so that none waits for another."""

    CONTROL = 0
    RESPONSE = 1
    REQUEST = 2


_CLASSES = tuple(MessageClass)
ALL_CLASSES = frozenset(_CLASSES)


class Welcome(NamedTuple):
    """The answer to a hello; the sender has nothing of the receiver beyond ``marks``."""

    #: another number than before: the sender has forgotten how much it had taken
    memory: int
    #: a later statement of the same incarnation has a higher number
    statement: int
    marks: Marks

    def encode(self) -> bytes:
        return _frame(WELCOME, _WELCOME.pack(self.memory, self.statement, *self.marks))

    @classmethod
    def decode(cls, body: bytes) -> Welcome:
        memory, statement, *marks = _WELCOME.unpack(body)
        return cls(memory, statement, _marks(marks))


class Messages(NamedTuple):
    """Whole messages of one class, in order."""

    message_class: MessageClass
    #: number of the first message; the following ones have the following numbers
    first: int
    #: when the frame was made
    clock: int
    #: for each message, the microseconds from its acceptance for sending until ``clock``
    ages: Sequence[int]
    payloads: Sequence[bytes]

    def encode(self) -> bytes:
        count = len(self.payloads)
        sizes = list(map(len, self.payloads))
        length = 1 + _MESSAGES.size + ENTRY_BYTES * count + sum(sizes)
        return b"".join(
            (
                _HEAD.pack(length, MESSAGES),
                _MESSAGES.pack(self.message_class, count, self.first, self.clock),
                _table(count).pack(*sizes, *self.ages),
                *self.payloads,
            )
        )

    @classmethod
    def decode(cls, body: bytes) -> Messages:
        number, count, first, clock = _MESSAGES.unpack_from(body)
        if not 1 <= count <= MAX_ENTRIES:
            raise errors.MalformedFrame(f"The peer sent a frame of {count} messages.")
        table = _table(count)
        numbers = table.unpack_from(body, _MESSAGES.size)
        start = _MESSAGES.size + table.size
        payloads = []
        for size in numbers[:count]:
            payloads.append(body[start : start + size])
            start += size
        if start != len(body):
            raise errors.MalformedFrame(f"Messages of together {start} bytes are in a frame of {len(body)}.")
        return cls(_CLASSES[number], first, clock, numbers[count:], payloads)


class Part(NamedTuple):
    """A part of a message that is longer than a frame."""

    message_class: MessageClass
    #: of the message
    number: int
    clock: int
    age: int
    #: bytes of the whole message
    total: int
    #: where the part begins in it
    offset: int
    piece: bytes

    def encode(self) -> bytes:
        return _frame(PART, _PART.pack(*self[:-1]), self.piece)

    @classmethod
    def decode(cls, body: bytes) -> Part:
        class_number, number, clock, age, total, offset = _PART.unpack_from(body)
        return cls(_CLASSES[class_number], number, clock, age, total, offset, body[_PART.size :])


class Ack(NamedTuple):
    """The sender has taken all messages up to ``marks``."""

    marks: Marks

    def encode(self) -> bytes:
        return _frame(ACK, _MARKS.pack(*self.marks))

    @classmethod
    def decode(cls, body: bytes) -> Ack:
        return cls(_marks(_MARKS.unpack(body)))


class Credit(NamedTuple):
    """The receiver may send so many more messages, and so many more bytes, of one class."""

    message_class: MessageClass
    messages: int
    size_bytes: int

    def encode(self) -> bytes:
        return _frame(CREDIT, _CREDIT.pack(*self))

    @classmethod
    def decode(cls, body: bytes) -> Credit:
        number, messages, size_bytes = _CREDIT.unpack(body)
        return cls(_CLASSES[number], messages, size_bytes)


class Echo(NamedTuple):
    """The clock of the last heartbeat of the peer, and the microseconds since it arrived."""

    clock: int
    held: int


class Heartbeat(NamedTuple):
    """The sender lives; ``echo`` is None until it has received a heartbeat."""

    clock: int
    echo: Echo | None

    def encode(self) -> bytes:
        return _frame(HEARTBEAT, _CLOCK.pack(self.clock) if self.echo is None else _ECHO.pack(self.clock, *self.echo))

    @classmethod
    def decode(cls, body: bytes) -> Heartbeat:
        if len(body) == _CLOCK.size:
            return cls(_CLOCK.unpack(body)[0], None)
        clock, echo, held = _ECHO.unpack(body)
        return cls(clock, Echo(echo, held))


class Goodbye(NamedTuple):
    """The sender takes no message of ``classes`` beyond ``marks``."""

    classes: frozenset[MessageClass]
    marks: Marks
    reason: str

    def encode(self) -> bytes:
        bits = sum(1 << message_class for message_class in self.classes)
        reason = self.reason.encode("utf-8", "replace")[:MAX_REASON_BYTES]
        return _frame(GOODBYE, _GOODBYE.pack(bits, *self.marks), reason)

    @classmethod
    def decode(cls, body: bytes) -> Goodbye:
        bits, *marks = _GOODBYE.unpack_from(body)
        classes = frozenset(message_class for message_class in MessageClass if bits >> message_class & 1)
        reason = body[_GOODBYE.size :][:MAX_REASON_BYTES].decode("utf-8", "replace")
        return cls(classes, _marks(marks), reason)


Frame = Welcome | Messages | Part | Ack | Credit | Heartbeat | Goodbye
_DECODE: dict[int, Callable[[bytes], Frame]] = {
    WELCOME: Welcome.decode,
    MESSAGES: Messages.decode,
    PART: Part.decode,
    ACK: Ack.decode,
    CREDIT: Credit.decode,
    HEARTBEAT: Heartbeat.decode,
    GOODBYE: Goodbye.decode,
}


def encode_hello(text: bytes) -> bytes:
    """Return the frame of a hello, whose text :mod:`cells.drivers.direct.hello` makes and reads."""
    return _frame(HELLO, text)


def decode(kind: int, body: bytes) -> Frame:
    """Return the frame of a known type other than a hello.

    :raises MalformedFrame: ``body`` cannot be read
    """
    try:
        return _DECODE[kind](body)
    except (struct.error, IndexError) as error:
        raise errors.MalformedFrame(f"The peer sent a frame of type {kind} that cannot be read: {error}.") from None


class Decoder:
    """Splits bytes, which arrive in any pieces, into frames.  It keeps less than one frame."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_length = max_frame_bytes - _LENGTH_BYTES
        self._partial = bytearray()
        #: with fewer bytes there is nothing to read
        self._needed = _HEAD.size

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the type and the body of each frame that ``data`` completes.

        The iterator has to be exhausted before the next call, unless it raised.

        :raises FrameTooLong: a frame has no type, or is longer than the limit
        :raises UnknownFrameType: the type of a frame is unknown and not optional
        """
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        start, end = 0, len(data)
        self._needed = _HEAD.size
        while end - start >= _HEAD.size:
            length, kind = _HEAD.unpack_from(data, start)
            if not 1 <= length <= self._max_length:
                raise errors.FrameTooLong(f"The peer announced {length} bytes; a frame has 1 to {self._max_length}.")
            if kind not in _KNOWN and not kind & OPTIONAL:
                raise errors.UnknownFrameType(f"The peer sent a frame of the unknown type {kind}.")
            stop = start + _LENGTH_BYTES + length
            if stop > end:
                self._needed = stop - start
                break
            if kind in _KNOWN:
                yield kind, data[start + _HEAD.size : stop]
            start = stop
        self._partial += data[start:]


def _marks(numbers: Sequence[int]) -> Marks:
    control, response, request = numbers
    if max(numbers) > MAX_MARK:
        raise errors.MalformedFrame(f"The peer stated the marks {control}, {response} and {request}.")
    return control, response, request


def _frame(kind: int, *body: bytes) -> bytes:
    return b"".join((_HEAD.pack(1 + sum(map(len, body)), kind), *body))


@functools.lru_cache(maxsize=512)
def _table(count: int) -> struct.Struct:
    """Return the lengths of ``count`` messages, then their ages."""
    return struct.Struct(f">{2 * count}I")

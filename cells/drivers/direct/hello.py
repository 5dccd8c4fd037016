"""The first frame of each side: who it is, and how much it takes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from cells.drivers.direct import errors
from cells.drivers.direct.frames import MAX_FRAME_BYTES, MIN_FRAME_BYTES, encode_hello

#: The version of this protocol; a connection speaks the lower one of its two sides.
PROTOCOL = 1
#: Bytes of the JSON text.
MAX_HELLO_BYTES = 4000

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Window(msgspec.Struct, frozen=True):
    """How much of one class a side may send before the other side grants more."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = 1024
    bytes: Annotated[int, msgspec.Meta(ge=1024, le=2**40)] = 4 * 1024 * 1024

    def charge(self, size: int) -> int:
        """Return the credit for a message of ``size`` bytes: a message longer than the window takes all of it."""
        return min(size, self.bytes)


class Windows(msgspec.Struct, frozen=True):
    """The windows of all classes."""

    control: Window = Window()
    response: Window = Window()
    request: Window = Window()

    @property
    def in_order(self) -> tuple[Window, ...]:
        """The windows in the order of the classes."""
        return self.control, self.response, self.request


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """One manager, as it introduces itself.  Later releases may add keys; unknown keys are ignored."""

    protocol: Annotated[int, msgspec.Meta(ge=1)] = PROTOCOL
    #: name of the cell
    cell: _Name
    #: name of the manager in its cell
    host: _Name
    #: random, one per process
    incarnation: Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
    #: of the inter-cell API
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    max_frame_bytes: Annotated[int, msgspec.Meta(ge=MIN_FRAME_BYTES, le=MAX_FRAME_BYTES)] = MAX_FRAME_BYTES
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)] = 40 * 1024 * 1024
    #: seconds between two heartbeats of this side
    heartbeat: Annotated[float, msgspec.Meta(ge=0.01, le=60.0)] = 2.0
    #: what the peer may send at first
    credit: Windows = Windows()

    def encode(self) -> bytes:
        """Return the frame."""
        return encode_hello(msgspec.json.encode(self))

    @classmethod
    def decode(cls, body: bytes) -> Hello:
        """:raises MalformedFrame: ``body`` is no hello"""
        if len(body) > MAX_HELLO_BYTES:
            raise errors.MalformedFrame(f"The peer sent a hello of {len(body)} bytes, more than {MAX_HELLO_BYTES}.")
        try:
            return _DECODER.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise errors.MalformedFrame(f"The peer sent a hello that cannot be read: {error}.") from None


_DECODER = msgspec.json.Decoder(Hello)

"""The messages on a socket, as ZeroMQ frames.

=========  ===============================================================
request    ``cells1 | call or cast | id | key | pool | body``
answer     ``cells1 | kind | id | body``
=========  ===============================================================

The body of a request is JSON: ``{"context", "message", "monitor_seconds"}``.  A
request that names a pool is for that pool's listeners alone.  Kinds of answers: ``accepted`` (a cast
waits in the queue of a server), ``refused`` (nobody has it; the body says why), and for a call
``reply`` (JSON), ``failure`` (JSON, as oslo.messaging serialises an exception) and ``working``
(the call monitor's sign of life).  Each call or cast is answered on the
connection that it came on.  Another version of this protocol would start with
another word.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from oslo_serialization import jsonutils

PROTOCOL = b"cells1"

CALL = b"call"
CAST = b"cast"

ACCEPTED = b"accepted"
REFUSED = b"refused"
REPLY = b"reply"
FAILURE = b"failure"
WORKING = b"working"

#: Made once: json.dumps would make an encoder for each message.
_encode = json.JSONEncoder(default=jsonutils.to_primitive).encode

_MAX_ID_BYTES = 64
_MAX_KEY_BYTES = 1024


class MalformedFrames(Exception):
    """Raised when what came is no message of this protocol."""


class Request(NamedTuple):
    """A call or a cast on its way to a server."""

    kind: bytes
    message_id: bytes
    key: str
    pool: str
    body: bytes

    def to_frames(self) -> list[bytes]:
        return [PROTOCOL, self.kind, self.message_id, self.key.encode(), self.pool.encode(), self.body]


class Answer(NamedTuple):
    """What comes back for a request."""

    kind: bytes
    message_id: bytes
    body: bytes

    def to_frames(self) -> list[bytes]:
        return [PROTOCOL, self.kind, self.message_id, self.body]


def read_request(frames: Sequence[bytes]) -> Request:
    """:raises MalformedFrames: these are no request"""
    if len(frames) != 6 or frames[0] != PROTOCOL:
        raise MalformedFrames(_what_it_is(frames))
    _, kind, message_id, key, pool, body = frames
    if kind not in (CALL, CAST) or not 0 < len(message_id) <= _MAX_ID_BYTES or len(key) + len(pool) > _MAX_KEY_BYTES:
        raise MalformedFrames("a request with a wrong header")
    try:
        return Request(kind, message_id, key.decode(), pool.decode(), body)
    except UnicodeDecodeError:
        raise MalformedFrames("a request whose key is no text") from None


def read_answer(frames: Sequence[bytes]) -> Answer:
    """:raises MalformedFrames: these are no answer"""
    if len(frames) != 4 or frames[0] != PROTOCOL:
        raise MalformedFrames(_what_it_is(frames))
    return Answer(frames[1], frames[2], frames[3])


def encode(value: Any) -> bytes:
    """``value`` as JSON.

    :raises TypeError: it has no JSON form
    :raises ValueError: it contains itself
    """
    return _encode(value).encode()


def decode(body: bytes) -> Any:
    """What :func:`encode` has written.

    :raises MalformedFrames: it is no JSON
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedFrames(f"a body that is no JSON ({type(error).__name__})") from None


def _what_it_is(frames: Sequence[bytes]) -> str:
    if frames and frames[0].startswith(b"cells"):
        return f"a message of another version of this protocol ({frames[0][:16]!r})"
    return f"{len(frames)} frames that are no message"

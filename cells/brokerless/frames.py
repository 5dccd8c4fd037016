"""The messages on a socket: each is a header and a body, two ZeroMQ frames.

=========  ===============================================================
request    ``cells1, call or cast, id, key, pool`` and a body
answer     ``cells1, kind, id`` and a body
=========  ===============================================================

The fields of a header are separated by NUL, and hold none: keys are percent-quoted anyway, pools
for this.  More frames would be more to read: to receive one costs as much as to take a
header apart.

The body of a request is JSON: ``{"context", "message", "monitor_seconds"}``.  A
request that names a pool is for that pool's listeners alone.  Kinds of answers: ``accepted`` (a cast
waits in the queue of a server), ``refused`` (nobody has it; the body says why), and for a call
``reply`` (JSON), ``failure`` (JSON, as oslo.messaging serializes an exception) and ``working``
(the call monitor's sign of life).  Each call or cast is answered on the
connection that it came on.  Another version of this protocol would start with
another word.
"""

from __future__ import annotations

import json
import urllib.parse
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

#: Keys and pools together have to fit.
MAX_HEADER_BYTES = 2048


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
        pool = urllib.parse.quote(self.pool, safe="*") if self.pool else ""
        return [header(self.kind, self.message_id, self.key.encode(), pool.encode()), self.body]


class Answer(NamedTuple):
    """What comes back for a request."""

    kind: bytes
    message_id: bytes
    body: bytes

    def to_frames(self) -> list[bytes]:
        return [header(self.kind, self.message_id), self.body]


def header(*fields: bytes) -> bytes:
    """The first frame of a message, of its fields after the protocol's name."""
    return b"\0".join((PROTOCOL, *fields))


def read_request(frames: Sequence[bytes]) -> Request:
    """:raises MalformedFrames: these are no request"""
    _, kind, message_id, key, pool = _fields(frames, 5)
    if kind not in (CALL, CAST) or not message_id:
        raise MalformedFrames("a request with a wrong header")
    try:
        return Request(kind, message_id, key.decode(), urllib.parse.unquote(pool.decode()), frames[1])
    except UnicodeDecodeError:
        raise MalformedFrames("a request whose key is no text") from None


def read_answer(frames: Sequence[bytes]) -> Answer:
    """:raises MalformedFrames: these are no answer"""
    _, kind, message_id = _fields(frames, 3)
    return Answer(kind, message_id, frames[1])


def _fields(frames: Sequence[bytes], count: int) -> list[bytes]:
    if len(frames) != 2 or len(frames[0]) > MAX_HEADER_BYTES:
        raise MalformedFrames(f"{len(frames)} frames, the first of {len(frames[0]) if frames else 0} bytes")
    fields = frames[0].split(b"\0")
    if fields[0] != PROTOCOL:
        is_other = fields[0].startswith(b"cells")
        raise MalformedFrames(
            f"a message of {'another version of this' if is_other else 'no known'} protocol ({fields[0][:16]!r})"
        )
    if len(fields) != count:
        raise MalformedFrames(f"a header of {len(fields)} fields")
    return fields


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

"""Messages on a socket: each is a header and a body, two ZeroMQ frames.

=========  ===============================================================
request    ``cells1, call or cast, id, key, pool`` and a body
answer     ``cells1, kind, id`` and a body
=========  ===============================================================

The fields of a header are separated by NUL and contain no NUL: keys are percent-quoted
anyway, pools are quoted here.  One frame per field would be slower: receiving a frame costs
as much as splitting a header.

The body of a request is JSON: ``{"context", "message", "monitor_seconds"}``.  A request with
a pool goes only to the listeners of that pool.  The kinds of answers are ``accepted`` (a cast
is in the queue of a server), ``refused`` (no listener has taken the request; the body gives
the reason), and for a call ``reply`` (JSON), ``failure`` (JSON, as oslo.messaging serializes
an exception) and ``working`` (heartbeat of the call monitor).  The answer to a call or cast
returns on the connection of the request.  Another version of this protocol would start with
another word than ``cells1``.
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

#: Created once: json.dumps would create an encoder for each message.
_encode = json.JSONEncoder(default=jsonutils.to_primitive).encode

#: Limit of a header; the key and the pool have to fit.
MAX_HEADER_BYTES = 2048


class MalformedFrames(Exception):
    """Raised when received frames are not a message of this protocol."""


class Request(NamedTuple):
    """A call or a cast for a server."""

    kind: bytes
    message_id: bytes
    key: str
    pool: str
    body: bytes

    def to_frames(self) -> list[bytes]:
        pool = urllib.parse.quote(self.pool, safe="*") if self.pool else ""
        return [header(self.kind, self.message_id, self.key.encode(), pool.encode()), self.body]


class Answer(NamedTuple):
    """Answer to a request."""

    kind: bytes
    message_id: bytes
    body: bytes

    def to_frames(self) -> list[bytes]:
        return [header(self.kind, self.message_id), self.body]


def header(*fields: bytes) -> bytes:
    """Return the first frame of a message: the protocol's name and ``fields``."""
    return b"\0".join((PROTOCOL, *fields))


def read_request(frames: Sequence[bytes]) -> Request:
    """:raises MalformedFrames: ``frames`` are not a request"""
    _, kind, message_id, key, pool = _fields(frames, 5)
    if kind not in (CALL, CAST) or not message_id:
        raise MalformedFrames("a request with a wrong header")
    try:
        return Request(kind, message_id, key.decode(), urllib.parse.unquote(pool.decode()), frames[1])
    except UnicodeDecodeError:
        raise MalformedFrames("a request whose key is not UTF-8") from None


def read_answer(frames: Sequence[bytes]) -> Answer:
    """:raises MalformedFrames: ``frames`` are not an answer"""
    _, kind, message_id = _fields(frames, 3)
    return Answer(kind, message_id, frames[1])


def _fields(frames: Sequence[bytes], count: int) -> list[bytes]:
    if len(frames) != 2 or len(frames[0]) > MAX_HEADER_BYTES:
        raise MalformedFrames(f"{len(frames)} frames, the first of {len(frames[0]) if frames else 0} bytes")
    fields = frames[0].split(b"\0")
    if fields[0] != PROTOCOL:
        is_other = fields[0].startswith(b"cells")
        raise MalformedFrames(
            f"a message of {'another version of this' if is_other else 'an unknown'} protocol ({fields[0][:16]!r})"
        )
    if len(fields) != count:
        raise MalformedFrames(f"a header of {len(fields)} fields")
    return fields


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON.

    :raises TypeError: ``value`` has no JSON form
    :raises ValueError: ``value`` contains itself
    """
    return _encode(value).encode()


def decode(body: bytes) -> Any:
    """Return the value that :func:`encode` encoded.

    :raises MalformedFrames: ``body`` is not JSON
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedFrames(f"a body that is not JSON ({type(error).__name__})") from None

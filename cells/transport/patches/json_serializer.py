"""Reads and writes the envelopes of oslo.messaging quickly; ``cells-manager`` calls it at its start.

What oslo.messaging sends over RabbitMQ is JSON within JSON: an envelope with two keys,
its version and the text of the message.  Kombu reads and writes the envelope, and
oslo.messaging the text, both with the standard library.  A relay spent half of its time there.
Kombu lets a process bring serializers of its own: the one here is quicker, and reads
the text along with its envelope, which oslo.messaging takes as it is.
Whatever is no such envelope, or not as it should be, is left to them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from kombu import serialization
from kombu.utils import json as kombu_json

_VERSION, _TEXT = "oslo.version", "oslo.message"
_KEYS = frozenset((_VERSION, _TEXT))
#: Of the envelopes that are opened here.
_KNOWN_VERSION = "2.0"

#: Gives what the standard library gives, integers of any size too, or an error where that has a value of its own.
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_NOT_READ = (msgspec.MsgspecError, ValueError, RecursionError)

#: Kombu's own; it has no types.
_read_all: Any = kombu_json.loads
_write_all: Any = kombu_json.dumps


def install() -> None:
    """Have kombu in this process read and write JSON with :func:`read` and :func:`write`."""
    registry: Any = serialization.registry
    registry.register("json", write, read, content_type="application/json", content_encoding="utf-8")
    # Who names no serializer gets the one that was the default when kombu was imported.
    set_default = getattr(registry, "_set_default_serializer", None)
    if set_default is not None:
        set_default("json")


def read(body: Any) -> Any:
    """What the body of a message holds: the message itself if it is in an envelope, else as kombu reads it."""
    try:
        envelope = _decode(body)
    except _NOT_READ:
        return _read_all(body)
    if not _is_envelope(envelope):
        # It may hold what kombu has marks for.
        return _read_all(body)
    if envelope[_VERSION] != _KNOWN_VERSION:
        return envelope
    try:
        message = _decode(envelope[_TEXT])
    except _NOT_READ:
        return envelope
    # One that looks like an envelope would be opened once more.
    return message if isinstance(message, dict) and not message.keys() >= _KEYS else envelope


def write(data: Any) -> bytes | str:
    """The body of a message."""
    if _is_envelope(data):
        try:
            return _encode(data)
        except _NOT_READ:
            pass
    text: str = _write_all(data)
    return text


def _is_envelope(data: object) -> bool:
    return isinstance(data, dict) and data.keys() == _KEYS and all(type(value) is str for value in data.values())

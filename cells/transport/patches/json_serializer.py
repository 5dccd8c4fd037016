"""A faster JSON serializer for the envelopes of oslo.messaging.

A message of oslo.messaging on RabbitMQ is JSON within JSON: an envelope with two keys,
its version and the text of the message.  Kombu reads and writes the envelope, and
oslo.messaging the text, both with the standard library.  A relay spent half of its time there.
A process can register a serializer with kombu: this one is faster, and reads
the text along with its envelope, which oslo.messaging accepts as it is.
Other bodies, and malformed envelopes, are left to kombu and oslo.messaging.
"""

from __future__ import annotations

from typing import Any

import msgspec
from kombu import serialization
from kombu.utils import json as kombu_json

from cells.transport.patches.base import Patch

_SET_DEFAULT = "_set_default_serializer"
_VERSION, _TEXT = "oslo.version", "oslo.message"
_KEYS = frozenset((_VERSION, _TEXT))
#: of the envelopes that this serializer opens
_KNOWN_VERSION = "2.0"

#: Returns the values of the standard library, with integers of any size; raises an error for NaN and the like.
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_NOT_READ = (msgspec.MsgspecError, ValueError, RecursionError)

#: Kombu's functions; they have no types.
_read_all: Any = kombu_json.loads
_write_all: Any = kombu_json.dumps


class JSONSerializer(Patch):
    """Kombu in this process reads and writes JSON with :func:`read` and :func:`write`."""

    name = "json_serializer"
    library = "kombu"

    def _is_applicable(self) -> bool:
        return all(callable(getattr(serialization.registry, name, None)) for name in ("register", _SET_DEFAULT))

    def _install(self) -> None:
        registry: Any = serialization.registry
        registry.register("json", write, read, content_type="application/json", content_encoding="utf-8")
        # The default serializer is otherwise the one that was registered when kombu was imported.
        getattr(registry, _SET_DEFAULT)("json")


JSON_SERIALIZER = JSONSerializer()


def read(body: Any) -> Any:
    """Return the message in an envelope; return the value that kombu reads if ``body`` is no envelope."""
    try:
        envelope = _decode(body)
    except _NOT_READ:
        return _read_all(body)
    if not _is_envelope(envelope):
        # It may contain values that kombu marks, times for example.
        return _read_all(body)
    if envelope[_VERSION] != _KNOWN_VERSION:
        return envelope
    try:
        message = _decode(envelope[_TEXT])
    except _NOT_READ:
        return envelope
    # oslo.messaging would open a message that looks like an envelope once more.
    return message if isinstance(message, dict) and not message.keys() >= _KEYS else envelope


def write(data: Any) -> bytes | str:
    """Return the body for the message ``data``."""
    if _is_envelope(data):
        try:
            return _encode(data)
        except _NOT_READ:
            pass
    text: str = _write_all(data)
    return text


def _is_envelope(data: object) -> bool:
    return isinstance(data, dict) and data.keys() == _KEYS and all(type(value) is str for value in data.values())

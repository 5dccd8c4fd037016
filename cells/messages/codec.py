"""Parser of messages: from the text of the wire to a message, or to an error for its sender."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from cells import exceptions
from cells.messages.base import Content, Message
from cells.messages.broadcast import BroadcastHeader, BroadcastMessage
from cells.messages.response import ResponseHeader, ResponseMessage
from cells.messages.targeted import TargetedHeader, TargetedMessage
from cells.messages.validation import (
    MAX_CHARACTER_BYTES,
    check_size,
    load,
    load_with,
    size_of,
    want,
    want_direction,
    want_name,
    want_path,
)
from cells.path import MAX_NAME_LENGTH

MESSAGE_CLASSES: dict[str, type[Message]] = {
    cls.message_type: cls for cls in (ResponseMessage, BroadcastMessage, TargetedMessage)
}
#: In the order in which a cell has to start to consume them: a request that it
#: passes on before it can hear the response would wait in vain.
MESSAGE_TYPES = tuple(MESSAGE_CLASSES)
#: The keys that decide about the header of a message, whatever its type.
HEADER_KEYS = (
    "message_type",
    *dict.fromkeys(key.name for cls in MESSAGE_CLASSES.values() for key in cls.header_class.wire_keys().values()),
)
#: The types that ask for work: a cell that stops takes no more of them, and still takes answers.
REQUEST_TYPES = frozenset(MESSAGE_TYPES) - {ResponseMessage.message_type}
#: The header of a message up to this many times the limit is read for its answer.
MAX_SALVAGED = 4


def parse(came: object, limit_bytes: int, default_max_hop_count: int, now: float = 0.0) -> Message:
    """Return the message that has come.

    :param came: the JSON text of a message that traveled alone; of a message in a batch, an object with its keys; or
        the error because of which the driver has not read it
    :param now: seconds of the monotonic clock
    :raises cells.exceptions.MessageError: ``came`` is no message; the text names the fault
    """
    data = object_of(came, limit_bytes)
    cls = message_class(data)
    return cls.read(data, cls.header_class.read(data, default_max_hop_count), now)


def message_class(data: Mapping[str, Any]) -> type[Message]:
    """Return the class of the message with these keys.

    :raises cells.exceptions.MessageError: there is no such class
    """
    message_type = want(data, "message_type", str)
    found = MESSAGE_CLASSES.get(message_type)
    if found is None:
        raise exceptions.UnknownMessageType(
            f"The message type {message_type!r:.40} is none of {', '.join(MESSAGE_TYPES)}."
        )
    return found


def object_of(came: object, limit_bytes: int) -> Mapping[str, Any]:
    """Return the keys of the message that has come, as in :func:`parse`.

    :raises cells.exceptions.MessageError: ``came`` has no keys, or is too large
    """
    if isinstance(came, dict):
        payload = came.get("payload")
        if not isinstance(payload, str) or len(payload) > limit_bytes // MAX_CHARACTER_BYTES:
            check_size(size_of(want(came, "payload", str)), limit_bytes, "received")
        return came
    if isinstance(came, str):
        check_size(size_of(came), limit_bytes, "received")
        return load(came)
    if isinstance(came, exceptions.MessageError):
        raise came
    raise exceptions.MalformedMessage(f"A message must be a JSON text or an object, not {type(came).__name__}.")


def salvage(came: object, limit_bytes: int, default_max_hop_count: int) -> Message | None:
    """Return as much of a refused message as its answer needs; None if the message gets no answer.

    A call gets an answer if it names its id, its direction and its route.  A response that was refused for its size
    still brings the error to the caller.  Only the header of a message above the limit is read, and nothing of a
    message far above it.
    """
    try:
        data = _lenient_object(came, limit_bytes)
        if data.get("message_type") == ResponseMessage.message_type:
            return ResponseMessage.read(data, ResponseHeader.read(data, default_max_hop_count), now=0.0)
        if not want(data, "need_response", bool):
            return None
        route = want_path(data, "routing_path")
        fields: dict[str, Any] = {
            "method": ascii(data.get("method_name"))[:MAX_NAME_LENGTH],
            "route": route,
            "direction": want_direction(data, "direction"),
            "reply_server": want(data, "reply_server", str, "") and want_name(data, "reply_server"),
            "needs_response": True,
            "max_hop_count": max(default_max_hop_count, len(route) + 1),
        }
        own: dict[str, Any] = {"id": want_name(data, "uuid"), "payload": Content(context=want(data, "ctxt", dict, {}))}
    except exceptions.MessageError:
        return None
    if data.get("message_type") == BroadcastMessage.message_type:
        return BroadcastMessage(header=BroadcastHeader(**fields, streams=data.get("stream") is True), **own)
    return TargetedMessage(header=TargetedHeader(**fields, target=route), **own)


def _lenient_object(came: object, limit_bytes: int) -> Mapping[str, Any]:
    if isinstance(came, Mapping):
        return came
    if not isinstance(came, str):
        return {}
    size_bytes = size_of(came)
    if size_bytes > MAX_SALVAGED * limit_bytes:
        return {}
    return load_with(_lenient, came) if size_bytes <= limit_bytes else _head_of(came)


def _head_of(text: str) -> Mapping[str, Any]:
    """Return the keys of a message but for its content, which is skipped: no objects are made of it."""
    try:
        head = msgspec.to_builtins(_HEAD.decode(text))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise exceptions.MalformedMessage(f"The message is no JSON: {error}") from error
    return {**head, "payload": "{}"}


def _number_or_null(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


#: reads numbers that JSON does not have as null
_lenient = json.JSONDecoder(parse_float=_number_or_null, parse_constant=_number_or_null)
_Scalar = str | int | float | bool | None
#: Reads the scalar keys of a message that :func:`salvage` uses, and skips all others.
_HEAD = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Head",
        [(name, _Scalar | msgspec.UnsetType, msgspec.UNSET) for name in (*HEADER_KEYS, "uuid", "response_uuid")],
    )
)

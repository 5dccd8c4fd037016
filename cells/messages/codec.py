"""From the text that came over the wire to a message, or to an error for its sender."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from cells import exceptions
from cells.messages.base import Message, check_size, want, want_direction, want_name
from cells.messages.broadcast import BroadcastMessage
from cells.messages.response import ResponseMessage
from cells.messages.targeted import TargetedMessage
from cells.path import MAX_NAME_LENGTH, CellPath

MESSAGE_CLASSES: dict[str, type[Message]] = {
    cls.message_type: cls for cls in (ResponseMessage, BroadcastMessage, TargetedMessage)
}
#: In the order in which a cell has to start to consume them: a request that it
#: passes on before it can hear the response would wait in vain.
MESSAGE_TYPES = tuple(MESSAGE_CLASSES)


def parse(text: object, limit_bytes: int, default_max_hop_count: int) -> Message:
    """Return the message that ``text`` holds.

    :raises cells.exceptions.MessageError: it holds none; says what is wrong with it
    """
    if not isinstance(text, str):
        raise exceptions.MalformedMessage(f"A message must be a JSON text, not {type(text).__name__}.")
    check_size(len(text), limit_bytes, "received")
    data = _load(text)
    message_type = want(data, "message_type", str)
    message_class = MESSAGE_CLASSES.get(message_type)
    if message_class is None:
        raise exceptions.UnknownMessageType(
            f"The message type {message_type!r:.40} is none of {', '.join(MESSAGE_TYPES)}."
        )
    return message_class.read(data, default_max_hop_count)


def salvage(text: object, default_max_hop_count: int) -> Message | None:
    """Enough of a message that :func:`parse` refused to answer it, or None.

    Only a call gets an answer, and only if it says who it is and where it came from.
    A response that was refused for its size can still bring that news to who waits.
    """
    try:
        data = _load(text, _lenient) if isinstance(text, str) else {}
        if data.get("message_type") == ResponseMessage.message_type:
            return ResponseMessage.read(data, default_max_hop_count)
        if not want(data, "need_response", bool):
            return None
        route = CellPath.parse(want(data, "routing_path", str))
        fields: dict[str, Any] = {
            "method": ascii(data.get("method_name"))[:MAX_NAME_LENGTH],
            "route": route,
            "direction": want_direction(data),
            "context": want(data, "ctxt", dict, {}),
            "needs_response": True,
            "id": want_name(data, "uuid"),
            "max_hop_count": max(default_max_hop_count, len(route) + 1),
        }
    except exceptions.MessageError:
        return None
    if data.get("message_type") == BroadcastMessage.message_type:
        return BroadcastMessage(**fields)
    return TargetedMessage(**fields, target=route)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.20} is no number that can be sent")
    return value


def _number_or_null(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


# Made once: json.loads would make a decoder for each message.
_strict = json.JSONDecoder(parse_float=_number, parse_constant=_number)
#: reads numbers that JSON does not have as null
_lenient = json.JSONDecoder(parse_float=_number_or_null, parse_constant=_number_or_null)


def _load(text: str, decoder: json.JSONDecoder = _strict) -> Mapping[str, Any]:
    try:
        data = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise exceptions.MalformedMessage(f"The message is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise exceptions.MalformedMessage(f"A message must be a JSON object, not {type(data).__name__}.")
    return data

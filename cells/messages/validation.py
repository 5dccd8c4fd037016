"""Readers of single keys of the wire: a missing key or a wrong type refuses the message."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cells import exceptions
from cells.deadlines import LONGEST_SECONDS
from cells.neighbors import Direction
from cells.path import MAX_NAME_LENGTH, CellPath

if TYPE_CHECKING:
    from typing import TypeGuard

T = TypeVar("T")

#: Events that a message may gather on its way.
MAX_TRACE = 200
#: A limit that no tree reaches: the count of hops stays a small number.
MAX_HOPS = 1_000_000
#: Of one event: the cell, the event, the time, and keys that later releases may add.
MAX_EVENT_KEYS = 8
#: UTF-8 of the longest character
MAX_CHARACTER_BYTES = 4
_REQUIRED: Any = object()


def want(data: Mapping[str, Any], key: str, kind: type[T], default: Any = _REQUIRED) -> T:
    """Return the value of ``key``, checked to be a ``kind``; a null counts as left out if the key has a default."""
    value = data.get(key)
    if value is None and default is not _REQUIRED:
        return default  # type: ignore[no-any-return]  # the caller's own default, of its own type
    if key not in data:
        raise exceptions.MalformedMessage(f"The message has no {key!r}.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise exceptions.MalformedMessage(
            f"{key!r} of the message must be of type {kind.__name__}, not {type(value).__name__}."
        )
    return value


def want_flag(data: Mapping[str, Any], key: str) -> bool:
    """Return the value of ``key``, checked to be true or false; false if it was left out."""
    return want(data, key, bool, default=False)


def want_path(data: Mapping[str, Any], key: str) -> CellPath:
    """Return the value of ``key``, checked to be a path of cells."""
    return CellPath.parse(want(data, key, str))


def want_hop_count(data: Mapping[str, Any], key: str) -> int:
    """Return the value of ``key``, checked to be a number of hops; 0 if it was left out."""
    return _want_hops(data, key, 0)


def want_max_hop_count(data: Mapping[str, Any], key: str) -> int:
    """Return the value of ``key``, checked to be a number of hops of at least 1."""
    return _want_hops(data, key, 1)


def _want_hops(data: Mapping[str, Any], key: str, least: int) -> int:
    hops = want(data, key, int, least)
    if not least <= hops <= MAX_HOPS:
        raise exceptions.MalformedMessage(f"{key!r} of the message must be from {least} to {MAX_HOPS}.")
    return hops


def want_deadline(data: Mapping[str, Any], now: float) -> float:
    """Return when the caller stops waiting, by the clock of ``now``."""
    seconds = data["time_left"]
    if not _is_number(seconds):
        raise exceptions.MalformedMessage(f"'time_left' must be a number of seconds, not {seconds!r:.40}.")
    return now + min(max(seconds, 0.0), LONGEST_SECONDS)


def _is_number(value: object) -> TypeGuard[float]:
    # An integer may be too large for a float, and NaN compares as false.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def want_trace(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the events that cells on the way have recorded."""
    events = want(data, "trace", list)
    if len(events) > MAX_TRACE or not all(_is_event(event) for event in events):
        raise exceptions.MalformedMessage(
            f"'trace' must be a list of at most {MAX_TRACE} objects, each of at most {MAX_EVENT_KEYS} short texts "
            "and numbers."
        )
    return tuple(events)


def _is_event(event: object) -> bool:
    """Return whether an event is flat and short: each cell writes the event anew, and an operator reads it."""
    if not isinstance(event, dict) or len(event) > MAX_EVENT_KEYS:
        return False
    return all(
        _is_short(key) and (value is None or isinstance(value, bool) or _is_short(value) or _is_number(value))
        for key, value in event.items()
    )


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_LENGTH and value.isprintable()


def want_name(data: Mapping[str, Any], key: str) -> str:
    """Return the value of ``key``, checked to be a text that can stand in a line of a log."""
    name = data.get(key)
    if isinstance(name, str) and 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable():
        return name
    name = want(data, key, str)
    raise exceptions.MalformedMessage(
        f"{key!r} of the message must be 1 to {MAX_NAME_LENGTH} printable characters, not {name!a:.60}."
    )


def want_optional_name(data: Mapping[str, Any], key: str) -> str:
    """Return the value as :func:`want_name`; empty if the key was left out."""
    return "" if data.get(key) is None else want_name(data, key)


def want_direction(data: Mapping[str, Any], key: str) -> Direction:
    """Return the value of ``key``, checked to be a direction."""
    try:
        return Direction(want(data, key, str))
    except ValueError as error:
        raise exceptions.MalformedMessage(f"{key!r} must be 'up' or 'down', not {data[key]!r:.40}.") from error


def size_of(text: str) -> int:
    """Return the bytes of ``text`` as it travels."""
    # An ASCII text knows that it is one: only other texts are encoded, and no text that a bound on its length refuses.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_size(size_bytes: int, limit_bytes: int, title: str) -> None:
    """:raises cells.exceptions.MessageTooLarge: ``size_bytes`` is over the limit"""
    if size_bytes > limit_bytes:
        raise exceptions.MessageTooLarge(
            f"A message ({title}) of {size_bytes} bytes is longer than [cells] max_message_bytes = {limit_bytes}.",
            size_bytes=size_bytes,
            limit_bytes=limit_bytes,
        )


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.20} is no number that can be sent")
    return value


# Made once: json.loads would make a decoder for each message.
_strict = json.JSONDecoder(parse_float=_number, parse_constant=_number)
#: Takes a third of the time, and gives the same, integers of any size too; but there are texts that it does not read.
_quick = msgspec.json.Decoder()


def load(text: str) -> Mapping[str, Any]:
    """Return the JSON object that ``text`` holds.

    :raises cells.exceptions.MalformedMessage: it holds none, or numbers that JSON does not have
    """
    _check_begins_object(text)
    try:
        data = _quick.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return load_with(_strict, text)
    return _object(data)


def load_with(decoder: json.JSONDecoder, text: str) -> Mapping[str, Any]:
    """Return the object as :func:`load`, with another decoder."""
    _check_begins_object(text)
    try:
        data = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise exceptions.MalformedMessage(f"The message is no JSON: {error}") from error
    return _object(data)


def _check_begins_object(text: str) -> None:
    """Refuse a list of a million values before it is read."""
    if not text.lstrip().startswith("{"):
        raise exceptions.MalformedMessage(f"A message must be a JSON object, which {text!a:.40} does not begin.")


def _object(data: object) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise exceptions.MalformedMessage(f"A message must be a JSON object, not {type(data).__name__}.")
    return data

"""Payloads: the messages that a payload holds, read with a bound on the work that a neighbor can cause.

A payload that is an object is the text of a message that travels alone; the router reads it, up to its own limit of
bytes.  A payload that is a list becomes objects here.  Its messages keep their content as a text, so that few values
are outside of texts; a list of many small values would become a hundred times as many bytes as it has.
"""

from __future__ import annotations

import json

import msgspec

from cells import exceptions
from cells.drivers.base import MAX_MESSAGES_OF_CAST

#: Keys and values outside of texts in the longest list: those of messages with a trace of many hops.
MAX_VALUES = 64 * MAX_MESSAGES_OF_CAST


def read(payload: bytes) -> object:
    """Return the objects of a list, or the text of any other payload; the error of a list with too many values."""
    if payload.startswith(b"["):
        if not has_few_values(payload, MAX_VALUES):
            return exceptions.MessageTooLarge(
                f"A list of messages has {len(payload)} bytes and more than {MAX_VALUES} keys and values outside of "
                "texts: no release sends such a list."
            )
        try:
            # In a third of the time of json, which was a fifth of a relay's time.
            return msgspec.json.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # json also reads lone surrogates and infinite numbers
        try:
            # From a text: of bytes, the decoder would guess an encoding, in which the count means nothing.
            return json.loads(payload.decode())
        except (ValueError, RecursionError):
            pass  # its receiver refuses the text
    return payload.decode(errors="replace")


def has_few_values(payload: bytes, limit: int) -> bool:
    """Return whether a JSON text has at most about ``limit`` keys and values outside of its texts.

    The time is that of a few searches through the bytes.  Bytes behind a fault of the JSON are not counted rightly: no
    parser comes that far.
    """
    if _count(payload) <= limit:
        return True
    # Without escapes, each quote begins or ends a text: so every second piece is outside.
    plain = payload.replace(rb"\\", b"").replace(rb"\"", b"")
    if plain.count(b'"') > 2 * limit:
        return False
    return sum(map(_count, plain.split(b'"')[::2])) <= limit


def _count(text: bytes) -> int:
    """Return about the number of values in a JSON text without texts."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")

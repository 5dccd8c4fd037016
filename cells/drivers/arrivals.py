"""The messages in a cast of a neighbor, counted before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def casts_in(request: Mapping[str, Any]) -> int:
    """Return the number of messages without an answer in a cast of a neighbor; for one that travels alone, 1."""
    arguments = request.get("args")
    messages = arguments.get("messages") if isinstance(arguments, dict) else None
    if isinstance(messages, list):
        # A list, because a generator would be resumed for each message.
        return len([one for one in messages if not (isinstance(one, dict) and one.get("need_response"))])
    return int(request.get("method") == "process_message")

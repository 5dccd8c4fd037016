"""The kinds of messages that operators tell apart when messages are lost."""

from __future__ import annotations

#: Of messages of cells about each other, which operators do not count among their traffic.
INTERNAL = ""
ANSWER = "answer"
CAST = "cast"
BROADCAST_CAST = "broadcast_cast"
#: The methods of those messages.
_INTERNAL_METHODS = frozenset(
    ("announce_capabilities", "announce_capacities", "ping", "update_capabilities", "update_capacities")
)
#: Method of an endpoint -> the word for a message to one cell.
_SERVICES = {
    "service_call": "service_call",
    "service_call_any": "service_call",
    "service_cast": "service_cast",
    "service_cast_any": "service_cast",
    "service_event": "event",
}


def kind_of(message_type: str, method: str, *, needs_response: bool) -> str:
    """Return the kind of a request.

    :param message_type: ``targeted`` or ``broadcast``
    """
    if method in _INTERNAL_METHODS:
        return INTERNAL
    word = "call" if needs_response else "cast"
    if message_type == "broadcast":
        return f"broadcast_{word}"
    return _SERVICES.get(method, word)

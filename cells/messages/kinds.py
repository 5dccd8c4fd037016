"""The kinds of messages that operators tell apart when messages are lost."""

from __future__ import annotations

#: Of messages of cells about each other, which operators do not count among their traffic.
INTERNAL = ""
ANSWER = "answer"
CAST = "cast"
BROADCAST_CAST = "broadcast_cast"
#: The methods of those messages; a neighbor sends them, so they take one hop.
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


def kind_of(message_type: str, method: str, cells: int, *, needs_response: bool) -> str:
    """Return the kind of a request.

    :param message_type: ``targeted`` or ``broadcast``
    :param cells: the number of cells that the message has walked
    """
    word = "call" if needs_response else "cast"
    if message_type == "broadcast":
        return f"broadcast_{word}"
    if method in _INTERNAL_METHODS and cells <= 2:
        return INTERNAL
    return _SERVICES.get(method, word)

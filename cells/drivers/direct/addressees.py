"""Addressees: the managers of this cell for which a message of a neighbor is, by the keys that it has on the wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from cells import exceptions
from cells.path import CellPath

_Scalar = str | int | float | bool | None
#: Skips all other keys of a message: it makes no objects of its content.
_HEAD = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Head",
        [
            (name, _Scalar | msgspec.UnsetType, msgspec.UNSET)
            for name in ("fanout", "message_type", "reply_server", "routing_path", "target_cell")
        ],
    )
)


def head_of(text: str) -> Mapping[str, object] | None:
    """Return the keys of a message that decide who gets it; None if the text is no message: its reader refuses it."""
    try:
        found: Mapping[str, object] = msgspec.to_builtins(_HEAD.decode(text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found


def is_fanout(message: Mapping[str, object]) -> bool:
    """Return whether each manager of this cell is to receive the message."""
    return message.get("fanout") is True


def other_manager(message: Mapping[str, object], own_cell: str, others: Collection[str]) -> str:
    """Return the manager that waits for an answer, if it is another one of this cell; else an empty text.

    On its way to another cell an answer names a manager there, which may have the name of a manager here.

    :param others: the other managers of this cell
    """
    waiting = message.get("reply_server")
    if not isinstance(waiting, str) or waiting not in others or message.get("message_type") != "response":
        return ""
    route, target = message.get("routing_path"), message.get("target_cell")
    try:
        is_here = CellPath.parse(str(route)).child(own_cell) == CellPath.parse(str(target))
    except exceptions.CellsError:
        return ""
    return waiting if is_here else ""

"""The cells that answers to a broadcast name: a branch answers for its own cells alone.

An answer says which cell gave it, and the client reads that.  Only the neighbor that sent the answer is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from cells import exceptions
from cells.messages import EncodedResponse, Response
from cells.path import SEPARATOR, below


class _Named(msgspec.Struct):
    cell_name: str


_NAMED = msgspec.json.Decoder(_Named)


def of_branch(
    route: str, part: str, responses: Sequence[EncodedResponse]
) -> tuple[tuple[EncodedResponse, ...], exceptions.MalformedMessage | None]:
    """Return the answers in the names of cells of a branch, with an error of the branch in place of all others.

    :param route: the way from the source of the broadcast to this cell
    :param part: the way from this cell to the cell that has sent the answers
    :returns: the answers, and the error; None: each answer names a cell of the branch
    """
    branch = below(route, part)
    own = [one for one in responses if _is_of(branch, one.text)]
    if len(own) == len(responses):
        return tuple(own), None
    error = exceptions.MalformedMessage(f"Cell {branch} answered in the name of a cell that is not below it.")
    return (*own, Response(branch, error=error).encoded()), error


def _is_of(branch: str, text: str) -> bool:
    cell = _cell_of(text)
    return cell == branch or cell.startswith(f"{branch}{SEPARATOR}")


def _cell_of(text: str) -> str:
    """Return the cell that an answer names; empty if it names none."""
    try:
        return _NAMED.decode(text).cell_name
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Older releases and Nova write numbers that JSON does not have.
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        cell = data.get("cell_name") if isinstance(data, dict) else None
        return cell if isinstance(cell, str) else ""

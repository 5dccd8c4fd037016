"""Paths of the cells that answered a broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cells import exceptions
from cells.path import CellPath

if TYPE_CHECKING:
    from cells.rpcapi import CellAnswer


def path_of(own: str, answer: CellAnswer) -> CellPath:
    """Return the full path of a cell that answered; its last name is "?" if the answer does not tell it.

    :param own: path of the cell that asked
    """
    here = CellPath.parse(own)
    try:
        described = answer.value.get("path") if isinstance(answer.value, dict) else None
        if isinstance(described, str):
            return CellPath.parse(described)
        route = list(CellPath.parse(answer.cell))
    except exceptions.MalformedMessage:
        return here.child("?")
    if len(here) > 1 and len(route) > 1 and route[1] == here[-2]:
        # The answer is from above: each step is one cell nearer to the top.
        return here[: max(len(here) - len(route) + 1, 1)]
    return here.joined(route[1:])

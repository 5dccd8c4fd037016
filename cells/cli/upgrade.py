"""``cells upgrade``: which version of the inter-cell API is spoken where, and what holds it there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cliff import lister

from cells import context, exceptions
from cells.cli import base
from cells.path import CellPath

if TYPE_CHECKING:
    from cells.rpcapi import CellAnswer

_LINK_COLUMNS = ("state", "announced", "spoken", "global_cap", "neighbor_cap", "can_be_raised", "reason")
_COLUMNS = ("cell", "reads", "neighbor", "type", *_LINK_COLUMNS)

#: What Nova's cells service reads: it never had another version.
_NOVA_READS = "1.0"

_Links = Sequence[Mapping[str, Any]]


class Matrix(base.CellCommand, lister.Lister):
    """Show what this cell and all cells below it speak with each neighbor, and which caps can be raised.

    A line for each cell and each of its neighbors, because each side caps what it sends. "reads" is the highest
    version that the cell itself reads, "announced" what the neighbor said that it reads, and "spoken" what the cell
    sends to it now: the lowest of "announced", "global_cap" ([upgrade_levels] intercell) and "neighbor_cap" (cells
    neighbor set --version-cap). "can_be_raised" says whether the neighbor reads more than a cap allows; "reason" names
    what holds the link below the newest version.

    A cell of a release that cannot tell has one line, with what it announced to the cell above it. The status is 1 if
    a cell did not answer; the others are shown all the same.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """How long to wait."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        base.add_timeout(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Called by cliff."""
        ctxt = context.get_admin_context()
        with self.manager() as manager:
            here = CellPath.parse(manager.status(ctxt)["path"])
            answers = manager.broadcast_call(ctxt, "links", timeout=parsed_args.timeout)
        # In a graph that is no tree, such a cell has answered by another way.
        came = [answer for answer in answers if not isinstance(answer.error, exceptions.DuplicateMessageError)]
        told = [(_path(here, answer), answer) for answer in came]
        announced = _announced_to_parents({path: _links(answer) for path, answer in told})
        rows: list[dict[str, Any]] = []
        for path, answer in sorted(told, key=lambda item: item[0]):
            if answer.error is None:
                rows += _rows(str(path), answer)
            else:
                rows.append(self._row_without_answer(str(path), announced.get(path), answer.error))
        shown = _for_people if parsed_args.formatter == "table" else _as_it_is
        return _COLUMNS, [tuple(shown(row.get(column)) for column in _COLUMNS) for row in rows]

    def _row_without_answer(self, cell: str, announced: Any, error: Exception) -> dict[str, Any]:
        if isinstance(error, exceptions.UnknownMethod):
            return {"cell": cell, "reads": announced, "reason": "a release before this command, which does not tell"}
        if isinstance(error, exceptions.RemoteError) and error.exc_type == "AttributeError":
            return {"cell": cell, "reads": _NOVA_READS, "reason": "Nova's cells service, as far as its answer shows"}
        reason = base.describe(error)
        self.fail(f"{cell} does not tell what it speaks: {reason}")
        return {"cell": cell, "reads": announced, "reason": reason}


def _for_people(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value


def _as_it_is(value: Any) -> Any:
    return value


def _path(here: CellPath, answer: CellAnswer) -> CellPath:
    """The full path of the cell that answered, or did not."""
    try:
        way = CellPath.parse(answer.cell)
    except exceptions.MalformedMessage:
        # An answer that cannot be read, so that it is not even known whose it is.
        return here.child("?")
    return here.joined(list(way)[1:])


def _links(answer: CellAnswer) -> _Links:
    links = answer.value.get("links") if isinstance(answer.value, dict) else None
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _announced_to_parents(links: Mapping[CellPath, _Links]) -> dict[CellPath, Any]:
    """What each cell has said that it reads, by what the one above it tells."""
    return {
        path.child(str(link.get("neighbor"))): link.get("announced")
        for path, below in links.items()
        for link in below
        if not link.get("is_parent")
    }


def _rows(cell: str, answer: CellAnswer) -> Iterator[dict[str, Any]]:
    reads = answer.value.get("reads") if isinstance(answer.value, dict) else None
    links = sorted(_links(answer), key=lambda link: (not link.get("is_parent"), str(link.get("neighbor"))))
    if not links:
        yield {"cell": cell, "reads": reads, "reason": "it has no neighbors"}
    for link in links:
        values = {column: link.get(column) for column in ("neighbor", *_LINK_COLUMNS)}
        yield {"cell": cell, "reads": reads, "type": "parent" if link.get("is_parent") else "child", **values}

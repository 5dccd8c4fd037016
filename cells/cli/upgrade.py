"""``cells upgrade``: the version of the inter-cell API on each link, and the reason for it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cliff import lister

from cells import context, exceptions
from cells.cli import base
from cells.failure import lacks_method
from cells.path import CellPath

if TYPE_CHECKING:
    from cells.rpcapi import CellAnswer

_LINK_COLUMNS = ("state", "announced", "spoken", "global_cap", "neighbor_cap", "can_be_raised", "reason")
_COLUMNS = ("cell", "reads", "neighbor", "type", *_LINK_COLUMNS)

#: The only version of the inter-cell API that Nova's cells service had.
_NOVA_READS = "1.0"

_Links = Sequence[Mapping[str, Any]]


class Matrix(base.CellCommand, lister.Lister):
    """Show the version on each link of this cell and of all cells below it, and the caps that can be raised.

    The output has a line for each cell and neighbor, because each cell caps the messages that it sends. "reads" is the
    highest version that the cell reads, "announced" the highest version that the neighbor announced, and "spoken" the
    version that the cell sends now: the lowest of "announced", "global_cap" ([upgrade_levels] intercell) and
    "neighbor_cap" (cells neighbor set --version-cap). "can_be_raised" is "yes" if the neighbor reads more than the caps
    allow; "reason" names the limit that keeps the link below the newest version.

    A cell of a release without this command has one line, with the version that it announced to its parent. If a cell
    does not answer, the exit status is 1; the other cells are still shown.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Return a row for each cell and neighbor; called by cliff."""
        ctxt = context.get_admin_context()
        with self.manager() as manager:
            here = CellPath.parse(manager.status(ctxt)["path"])
            answers = manager.broadcast_call(ctxt, "links", timeout=parsed_args.timeout)
        # If the graph of cells is not a tree, a cell can get the broadcast twice: it answers the first.
        by_path = [
            (_path(here, answer), answer)
            for answer in answers
            if not isinstance(answer.error, exceptions.DuplicateMessageError)
        ]
        announced = _announced_to_parents({path: _links(answer) for path, answer in by_path})
        rows: list[dict[str, Any]] = []
        for path, answer in sorted(by_path, key=lambda item: item[0]):
            if answer.error is None:
                rows += _rows(str(path), answer)
            else:
                rows.append(self._row_without_answer(str(path), announced.get(path), answer.error))
        if parsed_args.formatter == "table":
            rows = [{column: _readable(value) for column, value in row.items()} for row in rows]
        missing = "" if parsed_args.formatter == "table" else None
        return _COLUMNS, [tuple(row.get(column, missing) for column in _COLUMNS) for row in rows]

    def _row_without_answer(self, cell: str, announced: Any, error: Exception) -> dict[str, Any]:
        if isinstance(error, exceptions.UnknownMethod):
            return {"cell": cell, "reads": announced, "reason": "a release before this command, which cannot report"}
        if lacks_method(error, "links"):
            return {"cell": cell, "reads": _NOVA_READS, "reason": "probably Nova's cells service, judged by its answer"}
        reason = base.describe(error)
        self.fail(f"{cell} does not report its links: {reason}")
        return {"cell": cell, "reads": announced, "reason": reason}


def _readable(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value


def _path(here: CellPath, answer: CellAnswer) -> CellPath:
    """Return the full path of the cell that the answer is from."""
    try:
        route = CellPath.parse(answer.cell)
    except exceptions.MalformedMessage:
        # The answer is malformed, so its cell is unknown.
        return here.child("?")
    return here.joined(list(route)[1:])


def _links(answer: CellAnswer) -> _Links:
    links = answer.value.get("links") if isinstance(answer.value, dict) else None
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _announced_to_parents(links: Mapping[CellPath, _Links]) -> dict[CellPath, Any]:
    """Return the version that each cell announced, as reported by its parent."""
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

"""The version of the inter-cell API on each link of a tree, for ``cells upgrade matrix`` and the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cells import exceptions, failure
from cells.failure import lacks_method
from cells.path import CellPath

if TYPE_CHECKING:
    from cells.rpcapi.api import CellsAPI
    from cells.rpcapi.arguments import Context
    from cells.rpcapi.cell_answer import CellAnswer

LINK_COLUMNS = ("state", "announced", "spoken", "global_cap", "neighbor_cap", "can_be_raised", "reason")
COLUMNS = ("cell", "reads", "neighbor", "type", *LINK_COLUMNS)

#: The only version of the inter-cell API that Nova's cells service had.
_NOVA_READS = "1.0"

_Links = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class VersionMatrix:
    """The links of a cell and of all cells below it."""

    #: values of :data:`COLUMNS` for each cell and neighbor, sorted by cell; a value that is not known is missing
    rows: Sequence[Mapping[str, Any]]
    #: a text for each cell that did not answer
    problems: Sequence[str]


def ask(api: CellsAPI, ctxt: Context, timeout: float) -> VersionMatrix:
    """Ask all cells below for their links.  Blocks for at most ``timeout`` seconds and the time of one status.

    Raises the errors of :meth:`cells.rpcapi.CellsAPI.broadcast_call`; a cell that does not answer is a problem.
    """
    here = CellPath.parse(api.status(ctxt)["path"])
    answers = api.broadcast_call(ctxt, "links", timeout=timeout)
    # If the graph of cells is not a tree, a cell can get the broadcast twice: it answers the first.
    by_path = [
        (_path(here, answer), answer)
        for answer in answers
        if not isinstance(answer.error, exceptions.DuplicateMessageError)
    ]
    announced = _announced_to_parents({path: _links(answer) for path, answer in by_path})
    rows: list[Mapping[str, Any]] = []
    problems: list[str] = []
    for path, answer in sorted(by_path, key=lambda item: item[0]):
        if answer.error is None:
            rows += _rows(str(path), answer)
            continue
        reads, reason = _without_answer(answer.error)
        if reads is None:
            problems.append(f"{path} does not report its links: {reason}")
        rows.append({"cell": str(path), "reads": reads or announced.get(path), "reason": reason})
    return VersionMatrix(rows, problems)


def _without_answer(error: Exception) -> tuple[str | None, str]:
    """Return the version that the cell reads, and why it has no links; "" if its parent knows the version."""
    if isinstance(error, exceptions.UnknownMethod):
        return "", "a release before this command, which cannot report"
    if lacks_method(error, "links"):
        return _NOVA_READS, "probably Nova's cells service, judged by its answer"
    return None, f"{failure.name_of(error)}: {' '.join(failure.text_of(error).split())}"


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
        values = {column: link.get(column) for column in ("neighbor", *LINK_COLUMNS)}
        yield {"cell": cell, "reads": reads, "type": "parent" if link.get("is_parent") else "child", **values}

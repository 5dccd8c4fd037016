"""The cells below: each reports its own problems, as its manager sees them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cells import exceptions
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.links import LinkFacts, findings_of
from cells.doctor.routes import path_of
from cells.failure import lacks_method
from cells.path import CellPath

if TYPE_CHECKING:
    from cells.rpcapi import CellAnswer

METHOD = "doctor"


class TreeCheck(Check):
    """A broadcast of the endpoint ``doctor`` to all cells below; with --tree only."""

    name = "tree"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.is_tree or not case.has_manager():
            return
        own = case.path
        # At the same time as the broadcast, because each takes its whole time if a cell is silent.
        threading.Thread(target=_begin, args=(case,), name="cells-doctor-topology", daemon=True).start()
        told = set()
        for answer in case.broadcast(METHOD, "down"):
            if isinstance(answer.error, exceptions.DuplicateMessageError):
                continue
            path = path_of(own, answer)
            told.add(path)
            if answer.error is not None:
                yield from _of_error(own, path, answer)
            elif isinstance(answer.value, dict):
                yield from _of_report(str(path), answer.value)
        for path in sorted(set(_unheard(case.topology(), CellPath.parse(own))) - told):
            text = f"{path} was known below, and does not answer; a cell above it does not answer either."
            yield found("cell_silent", text, path.last, cell=str(path))


def _begin(case: Case) -> None:
    with contextlib.suppress(Exception):  # the caller of the fact gets the error
        case.topology()


def _of_error(own: str, path: CellPath, answer: CellAnswer) -> Iterator[Finding]:
    error, name = answer.error, path.last
    if isinstance(error, (exceptions.UnknownMethod, exceptions.CallNotAllowed)) or lacks_method(error, METHOD):
        yield found("cell_cannot_report", f"{path} cannot report its problems: {error}", name, cell=str(path))
    elif len(path) != len(CellPath.parse(own)) + 1:
        # The check of the neighbors reports those of this cell.
        text = f"{path} does not answer: {' '.join(str(error).split())}"
        yield found("cell_silent", text, name, cell=str(path))


def _of_report(path: str, report: Mapping[str, Any]) -> Iterator[Finding]:
    rows = report.get("neighbors")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            yield from findings_of(LinkFacts(name=row["name"], cell=path, report=row))
    host = str(report.get("host") or "")
    if report.get("source_problem"):
        yield found("source_unreadable", str(report["source_problem"]), cell=path, seen_by=host)
    if report.get("left_out"):
        text = f"{report['left_out']} further neighbors of {path} have problems."
        yield found("neighbors_left_out", text, cell=path, seen_by=host)


def _unheard(node: Mapping[str, Any], own: CellPath) -> Iterator[CellPath]:
    """Yield the paths of the cells below that are known, and were not heard of now."""
    if node.get("state") == "unknown":
        path = CellPath.parse(node.get("path"))
        if own.is_prefix_of(path) and path != own:
            yield path
    for child in node.get("children") or ():
        yield from _unheard(child, own)

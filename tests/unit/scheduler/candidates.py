"""Candidates for the tests of filters, weighers and rankings."""

from __future__ import annotations

from typing import Any

from cells.path import CellPath
from cells.scheduler import Candidate, CellFilter, CellRequirements, any_cell

ANY = any_cell()


def child(path: str, **known: Any) -> Candidate:
    """Return a child of the first cell of ``path``."""
    parsed = CellPath.parse(path)
    return Candidate(name=parsed.last, path=parsed, **known)


def own(path: str, **known: Any) -> Candidate:
    """Return the choosing cell itself."""
    return child(path, is_self=True, **known)


def passes(cell_filter: CellFilter, candidate: Candidate, requirements: CellRequirements) -> bool:
    return cell_filter.reject(candidate, requirements) is None

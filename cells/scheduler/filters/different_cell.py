"""Filter "different_cell": rejects the cells that the caller excludes."""

from __future__ import annotations

from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class DifferentCell(CellFilter):
    """Filter that rejects a cell if the caller excludes the cell and all cells below."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        excluded = frozenset(requirements.different_from)
        if not excluded or not all(excluded.intersection(paths) for paths in candidate.reaches()):
            return None
        return "it is excluded" if candidate.is_self else "it is excluded, with all cells below it"

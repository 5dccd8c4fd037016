"""different_cell: none of the cells that the caller wants to keep away from."""

from __future__ import annotations

from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class DifferentCell(CellFilter):
    """Rejects a cell if it and all cells below it are excluded."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        excluded = frozenset(requirements.different_from)
        if not excluded or not all(excluded.intersection(paths) for paths in candidate.reaches()):
            return None
        return "it is excluded" if candidate.is_self else "it is excluded, with all cells below it"

"""Filter "target_cell": accepts only the target of the caller and the cells on the way there."""

from __future__ import annotations

from cells.path import CellPath
from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class TargetCell(CellFilter):
    """Filter that rejects every cell that does not lead to the target."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        target = requirements.target
        if target is None or _leads_to(candidate, target):
            return None
        return f"it is not the target {target}" + ("" if candidate.is_self else ", nor on the way there")


def _leads_to(candidate: Candidate, target: CellPath) -> bool:
    if len(target) == 1:
        # A plain name may belong to any cell below.
        return any(paths[0].last == target.last for paths in candidate.reaches())
    if candidate.is_self:
        return target in candidate.paths
    return any(path.is_prefix_of(target) for path in candidate.paths)

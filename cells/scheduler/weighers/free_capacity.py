"""Weigher "free_capacity": prefers cells with more free capacity relative to the requested size."""

from __future__ import annotations

from cells.scheduler.base import CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements

#: Bound of the number of fits, so that the weight stays finite with any multiplier.
MAX_FITS = 1e15


class FreeCapacity(CellWeigher):
    """Weigher by the number of times that the size fits, times ``weight_scale`` of the child's row.

    A cell that does not report the requested capacity gets weight 0.
    """

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:
        fits = [
            (candidate.free_room(name) or 0.0) // wanted for name, wanted in requirements.size.items() if wanted > 0
        ]
        return min([*fits, MAX_FITS]) * candidate.weight_scale if fits else 0.0

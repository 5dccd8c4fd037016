"""free_capacity: the more of the requested size a cell has room for, the better."""

from __future__ import annotations

from cells.scheduler.base import CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements

#: Nobody counts further; and it stays a number whatever it is multiplied by.
MOST_FITS = 1e15


class FreeCapacity(CellWeigher):
    """Weighs how many times the size fits, times ``weight_scale`` of the child's row.

    A cell that reports nothing of what is requested counts as one where it fits not once.
    """

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:
        fits = [
            (candidate.free_room(name) or 0.0) // wanted for name, wanted in requirements.size.items() if wanted > 0
        ]
        return min([*fits, MOST_FITS]) * candidate.weight_scale if fits else 0.0

"""Filter "free_capacity": rejects cells that report too little free capacity for the requested size."""

from __future__ import annotations

from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class FreeCapacity(CellFilter):
    """Filter that rejects a cell that reports too little; a cell without a report passes, as it may have room."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        for name, wanted in requirements.size.items():
            room = candidate.free_room(name)
            if room is not None and room < wanted:
                return f"it has {room:g} {name} free, not {wanted:g}"
        return None

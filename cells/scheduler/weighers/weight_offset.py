"""Weigher "weight_offset": the operator's preference, from the row of each child."""

from __future__ import annotations

from typing import ClassVar

from cells.scheduler.base import CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class WeightOffset(CellWeigher):
    """Weigher that returns ``weight_offset`` of the row unchanged; the choosing cell has 0."""

    is_normalized: ClassVar[bool] = False

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:  # noqa: ARG002  # the contract's
        return candidate.weight_offset

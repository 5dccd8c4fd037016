"""Weigher "mute_child": ranks silent children after all others, and unreachable children last."""

from __future__ import annotations

from typing import ClassVar

from cells.neighbors import State
from cells.scheduler.base import CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements

#: A child that is only registered so far has no disadvantage: it may have nothing to report.
SILENCE = {State.RECONNECTING: 0.5, State.SILENT: 0.5, State.MUTE: 1.0, State.UNREACHABLE: 2.0}


class MuteChild(CellWeigher):
    """Weigher of silence; its multiplier makes silence a disadvantage larger than any usual weight.

    No filter rejects a silent child: it may be the only candidate, and may run again.
    """

    is_normalized: ClassVar[bool] = False
    default_multiplier: ClassVar[float] = -1_000_000.0

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:  # noqa: ARG002  # the contract's
        return SILENCE.get(candidate.state, 0.0)

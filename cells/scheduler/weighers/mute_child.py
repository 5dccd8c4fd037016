"""mute_child: children that are silent come after all others, those out of reach last."""

from __future__ import annotations

from typing import ClassVar

from cells.neighbors import State
from cells.scheduler.base import CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements

#: A child that is only registered so far is as good as any: it may have nothing to say.
SILENCE = {State.MUTE: 1.0, State.UNREACHABLE: 2.0}


class MuteChild(CellWeigher):
    """Weighs silence, which its multiplier makes a disadvantage larger than any usual weight.

    Such a child is not rejected: it may be the only one, and may live by now.
    """

    is_normalized: ClassVar[bool] = False
    default_multiplier: ClassVar[float] = -1_000_000.0

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:  # noqa: ARG002  # the contract's
        return SILENCE.get(candidate.state, 0.0)

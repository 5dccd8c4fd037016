"""What filters and weighers are: the contract of the plug-ins ``cells.filters`` and ``cells.weighers``.

One object of each is made when the manager starts.  Its methods are called for each
candidate, from several threads at a time, within the thread that reads messages: they must
not block, and decide by what they are given.
"""

from __future__ import annotations

import abc
from typing import ClassVar

from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class CellFilter(abc.ABC):
    """Says which candidates are not as required."""

    def __init__(self, name: str) -> None:
        """:param name: of the entry point; reasons and logs name it"""
        self.name = name

    @abc.abstractmethod
    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        """Why ``candidate`` must not be picked, in words that can follow its name; None if it may.

        Called once per candidate that no filter before has rejected.  If it raises, the
        candidate is rejected, and the error logged and given as the reason.
        """


class CellWeigher(abc.ABC):
    """Says how good the candidates are that no filter has rejected."""

    #: whether the weights of all candidates are brought into 0 to 1, smallest to largest, before they are multiplied
    is_normalized: ClassVar[bool] = True
    #: unless [cells_scheduler] weight_multipliers has another one
    default_multiplier: ClassVar[float] = 1.0

    def __init__(self, name: str) -> None:
        """:param name: of the entry point; the multiplier has it, and logs name it"""
        self.name = name

    @abc.abstractmethod
    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:
        """How good ``candidate`` is: any finite number, more is better.

        A cell's weight is the sum of what its weighers give, each normalized and multiplied.
        If it raises or gives no finite number, that is logged, and this weigher adds 0 to
        the weight of this candidate.
        """

"""Contract of the filters and weighers: the plug-ins ``cells.filters`` and ``cells.weighers``.

The manager creates one object of each class at start.  It calls the methods once per
candidate, from several threads at a time, on the threads that read messages: a method must
not block, and must decide from its arguments alone.
"""

from __future__ import annotations

import abc
from typing import ClassVar

from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements


class CellFilter(abc.ABC):
    """Plug-in that rejects the candidates that do not fulfil the requirements."""

    def __init__(self, name: str) -> None:
        """:param name: of the entry point; reasons and log lines contain it"""
        self.name = name

    @abc.abstractmethod
    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        """Return the reason to reject ``candidate``, as a phrase that can follow its name; None to accept it.

        Called once per candidate that no earlier filter has rejected.  If this method raises, the
        candidate is rejected; the error is logged and becomes the reason.
        """


class CellWeigher(abc.ABC):
    """Plug-in that weighs the candidates that no filter has rejected."""

    #: whether the weights of all candidates are scaled to 0 (smallest) to 1 (largest) before the multiplication
    is_normalized: ClassVar[bool] = True
    #: multiplier of the weights, if [cells_scheduler] weight_multipliers sets none
    default_multiplier: ClassVar[float] = 1.0

    def __init__(self, name: str) -> None:
        """:param name: of the entry point; key of the multiplier, and part of log lines"""
        self.name = name

    @abc.abstractmethod
    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:
        """Return the weight of ``candidate``: any finite number; a larger weight is better.

        The weight of a cell is the sum over all weighers, each normalized and multiplied.
        If this method raises or returns no finite number, the manager logs an error, and this
        weigher adds 0 to the weight of this candidate.
        """

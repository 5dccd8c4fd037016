"""Picking a cell: what is required of it, which cells fulfil that, and which of them is the best.

Services say what they require with :func:`any_cell`.  A manager decides among itself and
its children alone (:mod:`cells.manager.picker`); the child it picks decides in turn.  Filters and
weighers are plug-ins, so who writes one finds here what it is made of and what it sees.
"""

from cells.scheduler.base import CellFilter, CellWeigher
from cells.scheduler.candidates import Candidate
from cells.scheduler.ranking import Ranking, Scheduler
from cells.scheduler.registry import load
from cells.services.requirements import CellRequirements, any_cell

__all__ = [
    "Candidate",
    "CellFilter",
    "CellRequirements",
    "CellWeigher",
    "Ranking",
    "Scheduler",
    "any_cell",
    "load",
]

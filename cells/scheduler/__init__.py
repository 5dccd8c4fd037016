"""Choice of a cell: filters reject the cells that do not fulfil the requirements, weighers rank the rest.

Services state their requirements with :func:`any_cell`.  A manager chooses only among its own cell and
the children (:mod:`cells.manager.picker`); the chosen child chooses in turn.  Filters and weighers are
plug-ins; this package exports the classes that their authors need.
"""

from cells.scheduler.base import CellFilter, CellWeigher
from cells.scheduler.candidates import Candidate
from cells.scheduler.ranking import Ranking, Scheduler
from cells.scheduler.registry import load
from cells.services.requirements import CellRequirements, any_cell

__all__ = ["Candidate", "CellFilter", "CellRequirements", "CellWeigher", "Ranking", "Scheduler", "any_cell", "load"]

"""Registry of the filters and weighers: loads them by name from entry points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cells.plugins import Kind
from cells.scheduler.base import CellFilter, CellWeigher
from cells.scheduler.ranking import Scheduler

FILTERS: Kind[CellFilter] = Kind(
    namespace="cells.filters",
    noun="filter of cells",
    base=CellFilter,  # type: ignore[type-abstract]  # plug-ins are subclasses
    advice="correct [cells_scheduler] filters",
)
WEIGHERS: Kind[CellWeigher] = Kind(
    namespace="cells.weighers",
    noun="weigher of cells",
    base=CellWeigher,  # type: ignore[type-abstract]  # plug-ins are subclasses
    advice="correct [cells_scheduler] weighers",
)


def load(filters: Iterable[str], weighers: Iterable[str], multipliers: Mapping[str, float]) -> Scheduler:
    """Return the scheduler that the options of ``[cells_scheduler]`` describe.

    :raises cells.exceptions.PluginError: a filter or weigher is unknown or does not load
    :raises cells.exceptions.ConfigurationError: a multiplier names no weigher of the list or is no finite number
    """
    return Scheduler(
        [FILTERS.make(name, name) for name in dict.fromkeys(filters)],
        [WEIGHERS.make(name, name) for name in dict.fromkeys(weighers)],
        multipliers,
    )

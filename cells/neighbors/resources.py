"""The capabilities and capacities of this cell and of all cells below it: the totals that its parents are sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from cells.neighbors.capabilities import Capabilities, Capacities, total, union
from cells.neighbors.table import NeighborTable
from cells.worker_threads import Clock


class Resources:
    """Configured capabilities, reported capacities, and the totals of the subtree.  Thread-safe."""

    def __init__(
        self,
        capabilities: Mapping[str, list[str]],
        table: NeighborTable,
        max_age_seconds: float,
        clock: Clock = time.monotonic,
    ) -> None:
        """Start without any report.

        :param capabilities: of this cell, as ``[cells] capabilities`` configures them
        :param max_age_seconds: how long the latest report of a service counts
        """
        self.own_capabilities = dict(capabilities)
        self._table = table
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._lock = threading.Lock()
        #: reporter -> (time of its latest report, capacities)
        self._reports: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def report(self, reporter: str, capacities: Mapping[str, Any]) -> None:
        """Replace the capacities that one service of this cell has reported."""
        with self._lock:
            self._reports[reporter] = (self._clock(), capacities)

    def own_capacities(self) -> Capacities:
        """Return the total of the current reports of this cell's services."""
        return total(self._current_reports())

    def capabilities(self) -> Capabilities:
        """Return the capabilities of this cell and of all cells below it that are not mute."""
        children = self._table.living_children().values()
        return union([self.own_capabilities, *(heard.capabilities for heard in children)])

    def capacities(self) -> Capacities:
        """Return the capacities of this cell and of all cells below it that are not mute."""
        children = self._table.living_children().values()
        return total([*self._current_reports(), *(heard.capacities for heard in children)])

    def _current_reports(self) -> list[Mapping[str, Any]]:
        with self._lock:
            oldest = self._clock() - self._max_age_seconds
            self._reports = {name: report for name, report in self._reports.items() if report[0] >= oldest}
            return [capacities for _, capacities in self._reports.values()]

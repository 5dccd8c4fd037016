"""The budget of each neighbor: the work that this manager holds at a time on its behalf.

A neighbor that asks for more gets ManagerBusy.  Other neighbors, and the services of this cell, have budgets of their
own and notice nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cells import exceptions
from cells.counters import Counters
from cells.neighbors import Neighbor, Neighbors


@dataclass(frozen=True)
class ForeignLimits:
    """The limits of the work for one neighbor."""

    #: messages of one neighbor that wait or run here at a time
    max_calls: int
    max_bytes: int
    #: the longest time that one message of a neighbor is worked on, unless its row says otherwise
    max_seconds: float
    #: returns the registered neighbors
    neighbors: Callable[[], Neighbors] = Neighbors

    def seconds(self, neighbor: str) -> float:
        """Return the longest time that this manager works on one message of ``neighbor``."""
        return self.seconds_of(self.neighbors().get(neighbor))

    def seconds_of(self, row: Neighbor | None) -> float:
        """Return the longest time that this manager works on one message of the neighbor that ``row`` describes.

        :param row: None: the neighbor is not registered any more
        """
        return self.max_seconds if row is None or row.max_foreign_seconds is None else row.max_foreign_seconds


class NeighborBudgets:
    """The messages that are worked on, and their bytes, by the neighbor that sent them.  Thread-safe."""

    def __init__(self, limits: ForeignLimits, counters: Counters) -> None:
        self.limits = limits
        self._counters = counters
        self._lock = threading.Lock()
        #: neighbor -> (number of messages, bytes)
        self._spent: dict[str, tuple[int, int]] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """Return the number of messages of all neighbors."""
        return self._total

    def take(self, neighbor: str, size_bytes: int) -> None:
        """Take one message out of the budget of ``neighbor``.

        :raises cells.exceptions.ManagerBusy: the budget is spent
        """
        limits = self.limits
        with self._lock:
            calls, spent_bytes = self._spent.get(neighbor, (0, 0))
            is_spent = calls >= limits.max_calls or (calls and spent_bytes + size_bytes > limits.max_bytes)
            if not is_spent:
                self._spent[neighbor] = (calls + 1, spent_bytes + size_bytes)
                self._total += 1
        if is_spent:
            self._counters.count("over_budget", neighbor)
            raise exceptions.ManagerBusy(
                f"{calls} messages of neighbor {neighbor} with {spent_bytes} bytes wait or run in this manager already "
                f"([cells] max_foreign_calls = {limits.max_calls}): try again later."
            )

    def give_back(self, neighbor: str, size_bytes: int) -> None:
        """Return what :meth:`take` took."""
        with self._lock:
            calls, spent_bytes = self._spent[neighbor]
            self._total -= 1
            if calls > 1:
                self._spent[neighbor] = (calls - 1, spent_bytes - size_bytes)
            else:
                del self._spent[neighbor]

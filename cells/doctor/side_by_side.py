"""Work on many items at once, on threads that are left behind when the time is over."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items that are worked on at the same time.
WORKERS = 16


class SideBySide(Generic[Item, Result]):
    """The results of a function for each item.  The work begins at once."""

    def __init__(self, items: Sequence[Item], work: Callable[[Item], Result]) -> None:
        """:param work: called on several threads; may block; an item for which it raises has no result"""
        self._work = work
        self._count = len(items)
        self._waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Item, Result]] = queue.SimpleQueue()
        for item in items:
            self._waiting.put(item)
        for _ in range(min(WORKERS, len(items))):
            threading.Thread(target=self._run, name="cells-doctor-worker", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._done.put((item, self._work(item)))

    def wait(self, deadline: float) -> tuple[list[tuple[Item, Result]], int]:
        """Return the results until the deadline, as they came, and the number of items without one.

        :param deadline: in seconds of the monotonic clock
        """
        found: list[tuple[Item, Result]] = []
        while len(found) < self._count:
            try:
                found.append(self._done.get(timeout=max(deadline - time.monotonic(), 0.001)))
            except queue.Empty:
                break
        return found, self._count - len(found)

"""Lanes: items that blocking work takes, several at a time and in their order, on a pool of threads.

While a call over the bus of the cell is on its way, the next items of its lane gather, and share the next call.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from cells import exceptions
from cells.worker_threads import WorkerThreads

LOG = logging.getLogger(__name__)

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

#: of a lane
_MAX_ITEMS = 10_000
#: of one piece of work
MAX_BATCH, MAX_BATCH_BYTES = 256, 1024 * 1024


class Lanes(Generic[Key, Item]):
    """One lane per key, while it has items.  Thread-safe; never blocks."""

    def __init__(
        self, threads: WorkerThreads, work: Callable[[Key, list[Item]], object], size_of: Callable[[Item], int]
    ) -> None:
        """:param work: takes the next items of a lane; one at a time for each lane
        :param size_of: returns the bytes of an item
        """
        self._threads = threads
        self._work = work
        self._size_of = size_of
        self._lock = threading.Lock()
        self._lanes: dict[Key, deque[Item]] = {}

    def put(self, key: Key, item: Item, neighbor: str) -> bool:
        """Add an item; return False if there is no room for it, or no thread.

        :param neighbor: for which the work is done; it gets no more than its share of the threads
        """
        with self._lock:
            lane = self._lanes.get(key)
            if lane is not None:
                has_room = len(lane) < _MAX_ITEMS
                if has_room:
                    lane.append(item)
                return has_room
            try:
                self._threads.run(partial(self._empty, key), neighbor=neighbor)
            except exceptions.CellsError as error:
                LOG.debug("A message cannot be passed to another manager of this cell: %s", error.message)
                return False
            # The thread waits for the lock.
            self._lanes[key] = deque((item,))
            return True

    def _empty(self, key: Key) -> None:
        while items := self._next(key):
            try:
                self._work(key, items)
            except Exception:  # a bug must cost these items, not the lane
                LOG.exception("Messages could not be passed to another manager of this cell.")

    def _next(self, key: Key) -> list[Item]:
        with self._lock:
            lane, size = self._lanes[key], 0
            items: list[Item] = []
            while lane and len(items) < MAX_BATCH and size < MAX_BATCH_BYTES:
                items.append(lane.popleft())
                size += self._size_of(items[-1])
            if not items:
                del self._lanes[key]
            return items

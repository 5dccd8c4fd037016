"""Threads for calls of services, apart for each topic: one that hangs takes none of another one's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cells import exceptions
from cells.worker_threads import WorkerThreads

#: Of more topics at a time nobody calls methods that take long.
MAX_TOPICS = 64


class ServiceThreads:
    """A bounded pool with a bounded queue for each topic that is called.  Thread-safe."""

    def __init__(self, max_threads: int, max_waiting: int, max_topics: int = MAX_TOPICS) -> None:
        """:param max_threads: of each topic, as ``max_waiting``"""
        self._max_threads = max_threads
        self._max_waiting = max_waiting
        self._max_topics = max_topics
        self._lock = threading.Lock()
        self._pools: dict[str, WorkerThreads] = {}
        self._is_stopped = False

    def run(self, topic: str, work: Callable[[], None]) -> None:
        """Run ``work``, which must not raise, as soon as a thread of the topic is free.

        :raises cells.exceptions.ManagerBusy: too many calls wait, of this topic or of others
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        """
        with self._lock:
            if self._is_stopped:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            pool = self._pools.get(topic)
            if pool is None:
                self._make_room()
                pool = self._pools[topic] = WorkerThreads(self._max_threads, self._max_waiting, "cells-service-call")
            pool.run(work)

    def _make_room(self) -> None:
        """Let go of the threads of topics that nobody calls now."""
        if len(self._pools) < self._max_topics:
            return
        for topic in [topic for topic, pool in self._pools.items() if pool.is_idle]:
            self._pools.pop(topic).stop(0.0)
        if len(self._pools) >= self._max_topics:
            raise exceptions.ManagerBusy(
                f"Calls of {len(self._pools)} services run in this cell already: try again later, or start one more "
                "cells-manager here."
            )

    def stop(self, timeout_seconds: float) -> bool:
        """Take no more work and let what runs finish; False if that took too long.  May be called twice."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            self._is_stopped = True
            pools = list(self._pools.values())
        # Each of them, also after one that took too long.
        are_done = [pool.stop(max(0.0, deadline - time.monotonic())) for pool in pools]
        return all(are_done)

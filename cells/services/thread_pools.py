"""Thread pools for calls of services, one per topic: a service that hangs blocks no calls of other services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cells import exceptions
from cells.worker_threads import WorkerThreads

#: Bound of the number of topics with running calls; more than a cell needs.
MAX_TOPICS = 64


class ServiceThreads:
    """Bounded thread pools with bounded queues, one for each called topic.  Thread-safe."""

    def __init__(self, max_threads: int, max_waiting: int, max_topics: int = MAX_TOPICS) -> None:
        """:param max_threads: per topic, like ``max_waiting``"""
        self._max_threads = max_threads
        self._max_waiting = max_waiting
        self._max_topics = max_topics
        self._lock = threading.Lock()
        self._pools: dict[str, WorkerThreads] = {}
        self._is_stopped = False

    def run(self, topic: str, work: Callable[[], None], neighbor: str = "") -> None:
        """Run ``work``, which must not raise, when a thread of the topic is free.

        :param neighbor: as for :meth:`WorkerThreads.run`
        :raises cells.exceptions.ManagerBusy: too many calls wait, or too many topics have running calls
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        """
        with self._lock:
            if self._is_stopped:
                raise exceptions.ManagerStopping("The manager is shutting down and accepts no more calls.")
            pool = self._pools.get(topic)
            if pool is None:
                self._make_room()
                pool = self._pools[topic] = WorkerThreads(self._max_threads, self._max_waiting, "cells-service-call")
            pool.run(work, neighbor=neighbor)

    def _make_room(self) -> None:
        """Stop the pools of topics without calls if the number of topics has reached its bound."""
        if len(self._pools) < self._max_topics:
            return
        for topic in [topic for topic, pool in self._pools.items() if pool.is_idle]:
            self._pools.pop(topic).stop(0.0)
        if len(self._pools) >= self._max_topics:
            raise exceptions.ManagerBusy(
                f"Calls of {len(self._pools)} services already run in this cell: try again later, or start another "
                "cells-manager here."
            )

    def stop(self, timeout_seconds: float) -> bool:
        """Accept no more work and wait for running work; False on timeout.  May be called twice."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            self._is_stopped = True
            pools = list(self._pools.values())
        # A list first, so that each pool is stopped even after the timeout of another.
        are_done = [pool.stop(max(0.0, deadline - time.monotonic())) for pool in pools]
        return all(are_done)

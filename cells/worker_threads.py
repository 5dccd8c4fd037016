"""Threads for work that may block: a bounded pool with a bounded queue.

They are apart from the threads that read messages: an endpoint that waits, or a
pool of them, never keeps a message from being passed on or an answer from being heard.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures

from cells import exceptions


class WorkerThreads:
    """Runs work in the order in which it came.  Thread-safe."""

    def __init__(self, max_threads: int, max_waiting: int, name: str) -> None:
        """:param name: of the threads"""
        self._max_calls = max_threads + max_waiting
        self._calls = 0
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._pool = futures.ThreadPoolExecutor(max_threads, name)

    def run(self, work: Callable[[], None]) -> None:
        """Run ``work``, which must not raise, as soon as a thread is free.

        :raises cells.exceptions.ManagerBusy: too many calls wait already
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        """
        with self._lock:
            if self._calls >= self._max_calls:
                raise exceptions.ManagerBusy(
                    f"{self._calls} calls run or wait in this cell already: try again later, or start "
                    "one more cells-manager here."
                )
            self._calls += 1
        try:
            self._pool.submit(self._work, work)
        except RuntimeError as error:
            self._done()
            raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.") from error

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._done()

    def _done(self) -> None:
        with self._lock:
            self._calls -= 1
            if not self._calls:
                self._idle.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._calls

    def stop(self, timeout_seconds: float) -> bool:
        """Take no more work and let what runs finish; False if that took too long.  May be called twice."""
        self._pool.shutdown(wait=False)
        with self._lock:
            return self._idle.wait_for(lambda: not self._calls, timeout_seconds)

"""Threads for work that may block: a bounded pool with a bounded queue.

They are apart from the threads that read messages: an endpoint that waits, or a
pool of them, never keeps a message from being passed on or an answer from being heard.

It is no ThreadPoolExecutor, because nobody wants its futures: they, and the lock that all executors of a
process share, were most of what it costs to have something run on another thread.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from cells import exceptions

LOG = logging.getLogger(__name__)


class WorkerThreads:
    """Runs work in the order in which it came.  Thread-safe."""

    def __init__(self, max_threads: int, max_waiting: int, name: str) -> None:
        """:param name: of the threads"""
        self._max_threads = max_threads
        self._max_calls = max_threads + max_waiting
        self._name = name
        self._calls = 0
        self._threads = 0
        self._is_stopped = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        #: None: the thread that takes it ends
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def run(self, work: Callable[[], None]) -> None:
        """Run ``work``, which must not raise, as soon as a thread is free.

        :raises cells.exceptions.ManagerBusy: too many calls wait already
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        """
        with self._lock:
            if self._is_stopped:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            if self._calls >= self._max_calls:
                raise exceptions.ManagerBusy(
                    f"{self._calls} calls run or wait in this cell already: try again later, or start "
                    "one more cells-manager here."
                )
            if self._calls >= self._threads and self._threads < self._max_threads:
                self._start_thread()
            self._calls += 1
            # Under the lock: what comes after the sign to end is never run.
            self._waiting.put(work)

    def _start_thread(self) -> None:
        """Called with the lock, when none of the threads is free."""
        thread = threading.Thread(target=self._work, name=f"{self._name}_{self._threads}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise exceptions.ManagerBusy(
                    f"The system gives this manager no thread to run calls on ({error}): try again later, or raise "
                    "the limit of its threads."
                ) from error
            # Those that there are will come to it.
            return
        self._threads += 1

    def _work(self) -> None:
        while True:
            work = self._waiting.get()
            if work is None:
                return
            try:
                work()
            except BaseException:  # a bug must cost one call, not the thread, whatever it raises
                LOG.exception("A call could not be run.")
            del work  # a thread that waits must not keep a large one alive
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
        with self._lock:
            if not self._is_stopped:
                self._is_stopped = True
                for _ in range(self._threads):
                    self._waiting.put(None)
            return self._idle.wait_for(lambda: not self._calls, timeout_seconds)

"""The threads, the clock and the ids of one manager, and a bounded pool of threads for work that may block.

Every part of a manager is handed a :class:`Runtime` instead of calling ``time``, ``uuid`` and ``threading`` itself, so
that a simulation or a test can own all of them.

:class:`WorkerThreads` runs endpoints apart from the threads that read messages: an endpoint that blocks, or a pool of
such endpoints, never delays forwarding or the processing of answers.  The pool is not a ThreadPoolExecutor, because its
callers need no futures: the futures, and the lock that all executors of a process share, were most of the cost of
running work on another thread.

The threads of a pool are shared fairly: a neighbor that floods this cell with slow calls keeps threads free for other
neighbors and for the services of this cell.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cells import exceptions

LOG = logging.getLogger(__name__)

#: A neighbor may use this many threads for each thread that stays free, but for one: so one neighbor uses at most three
#: of four threads, two neighbors three of seven each.
NEIGHBOR_SHARE = 3

#: Seconds.
Clock = Callable[[], float]


class Thread(Protocol):
    """A started thread."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, for at most ``timeout`` seconds."""

    def is_alive(self) -> bool:
        """Return whether the thread still runs."""


#: Starts a daemon thread of the given name.  Raises RuntimeError if the system has no thread left.
Spawn = Callable[[Callable[[], None], str], Thread]


#: The hexadecimal digit of the variant of RFC 9562, by a random one.
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def new_id() -> str:
    """Return an id that no other message, stream or request has."""
    # As str(uuid.uuid4()), in a fourth of the time: each message has one.
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


def start_thread(work: Callable[[], None], name: str) -> Thread:
    """Run ``work`` on a new daemon thread.

    :raises RuntimeError: the system has no thread left
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class Runtime:
    """Clock, id source and threads of one manager."""

    #: for deadlines, timeouts and ages
    clock: Clock = time.monotonic
    #: seconds since the epoch, for traces that are compared between hosts
    wall_clock: Clock = time.time
    new_id: Callable[[], str] = new_id
    spawn: Spawn = start_thread


class WorkerThreads:
    """Bounded pool of threads with a bounded queue, first in, first out for each neighbor.  Thread-safe."""

    def __init__(self, max_threads: int, max_waiting: int, name: str, spawn: Spawn = start_thread) -> None:
        """``name`` is the prefix of the threads' names."""
        self._max_threads = max_threads
        self._max_calls = max_threads + max_waiting
        self._name = name
        self._spawn = spawn
        self._calls = 0
        #: calls that use room in the queue
        self._limited_calls = 0
        #: works that have a thread, or get the next one
        self._running = 0
        #: neighbor -> works of it that are among the running ones
        self._running_of: dict[str, int] = {}
        #: neighbor -> works that wait for a thread, or for their share; the neighbor served last is the last one
        self._held: OrderedDict[str, deque[Callable[[], None]]] = OrderedDict()
        self._threads = 0
        self._is_stopped = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        #: None ends the thread that takes it.
        self._ready: queue.SimpleQueue[tuple[Callable[[], None], str] | None] = queue.SimpleQueue()

    def run(self, work: Callable[[], None], *, neighbor: str = "") -> None:
        """Run ``work``, which must not raise, as soon as a thread is free.

        :param neighbor: for which the work is done; it gets no more than its share of the threads.  The caller bounds
            the number of its works, which use no room in the queue.  Empty: for this cell
        :raises cells.exceptions.ManagerBusy: the queue is full, or the system has no thread left
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        """
        with self._lock:
            if self._is_stopped:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            if not neighbor and self._limited_calls >= self._max_calls:
                raise exceptions.ManagerBusy(
                    f"{self._limited_calls} calls run or wait in this cell already: try again later, or start "
                    "one more cells-manager here."
                )
            if neighbor not in self._held and self._may_begin(neighbor):
                self._begin(neighbor, work)
            else:
                self._held.setdefault(neighbor, deque()).append(work)
            self._calls += 1
            self._limited_calls += not neighbor

    def _may_begin(self, neighbor: str) -> bool:
        """Return whether the next work for ``neighbor`` may have a thread.  The caller holds the lock."""
        free = self._max_threads - self._running
        if free <= 0:
            return False
        running = self._running_of.get(neighbor, 0)  # none for this cell
        return not running or running < NEIGHBOR_SHARE * (free - 1)

    def _begin(self, neighbor: str, work: Callable[[], None]) -> None:
        """Give ``work`` a thread.  The caller holds the lock: behind the end marker of stop(), it would never run."""
        if self._running >= self._threads and self._threads < self._max_threads:
            self._start_thread()
        self._running += 1
        if neighbor:
            self._running_of[neighbor] = self._running_of.get(neighbor, 0) + 1
        self._ready.put((work, neighbor))

    def _ended(self, neighbor: str) -> None:
        """Count a work as done, and give its thread away.  The caller holds the lock."""
        self._calls -= 1
        self._limited_calls -= not neighbor
        self._running -= 1
        if neighbor:
            left = self._running_of[neighbor] - 1
            if left:
                self._running_of[neighbor] = left
            else:
                del self._running_of[neighbor]
        while self._held:
            found = next((held for held in self._held if self._may_begin(held)), None)
            if found is None:
                return
            self._begin_held(found)

    def _begin_held(self, neighbor: str) -> None:
        """Give the first waiting work of ``neighbor`` a thread.  The caller holds the lock."""
        works = self._held[neighbor]
        work = works.popleft()
        if works:
            self._held.move_to_end(neighbor)
        else:
            del self._held[neighbor]
        self._begin(neighbor, work)

    def _start_thread(self) -> None:
        """Add a thread.  The caller holds the lock and has found all threads busy."""
        try:
            self._spawn(self._work, f"{self._name}_{self._threads}")
        except RuntimeError as error:
            if not self._threads:
                raise exceptions.ManagerBusy(
                    f"The system gives this manager no thread to run calls on ({error}): try again later, or raise "
                    "the limit of its threads."
                ) from error
            # The existing threads will run the work.
            return
        self._threads += 1

    def _work(self) -> None:
        while True:
            taken = self._ready.get()
            if taken is None:
                return
            work, neighbor = taken
            try:
                work()
            except BaseException:  # a bug must cost one call, not the thread, whatever it raises
                LOG.exception("A call could not be run.")
            del taken, work  # an idle thread must not keep a large message alive
            with self._lock:
                self._ended(neighbor)
                if not self._calls:
                    self._idle.notify_all()

    def usage(self) -> tuple[int, int, int]:
        """Return how many works run, how many wait, and how many threads there may be."""
        with self._lock:
            return self._running, self._calls - self._running, self._max_threads

    @property
    def is_idle(self) -> bool:
        """Return whether no work runs or waits."""
        return not self._calls

    def stop(self, timeout_seconds: float) -> bool:
        """Take no more work and wait for the queued and running work.  May be called twice.

        :returns: False if the work did not end within ``timeout_seconds``
        """
        with self._lock:
            if not self._is_stopped:
                self._is_stopped = True
                # No work begins behind the end markers.
                while self._held:
                    self._begin_held(next(iter(self._held)))
                for _ in range(self._threads):
                    self._ready.put(None)
            return self._idle.wait_for(lambda: not self._calls, timeout_seconds)

"""Requests for cells that this cell cannot find until its parents have announced its path.

Only a cell that never had a path holds requests: a manager that restarts recalls the last one
(:mod:`cells.neighbors.path_memory`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import TypeVar

from cells.futures import then
from cells.neighbors.topology import Topology
from cells.transport.server import LongAnswer
from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: A request waits no longer than this.
MAX_SECONDS = 30.0
#: Further requests fail at once.
MAX_REQUESTS = 1000


@dataclass(frozen=True, eq=False)
class _Held:
    cell: object
    ends_at: float
    send: Callable[[], None]


class HeldRequests:
    """Requests that wait for the path of this cell, and the thread that sends them.  Thread-safe.

    The thread runs only while a request waits.
    """

    def __init__(self, topology: Topology, runtime: Runtime) -> None:
        self._topology = topology
        self._runtime = runtime
        self._changed = threading.Condition()
        self._held: list[_Held] = []
        self._is_stopped = False
        self._thread: Thread | None = None

    def send(self, cell: object, seconds: float, send: Callable[[float], futures.Future[T]]) -> futures.Future[T]:
        """Return the future of ``send``, which is called now, or once this cell can find ``cell``.

        If the cell cannot be found in time, ``send`` reports that error.

        :param cell: a name or a full path
        :param seconds: the timeout of the request
        :param send: takes the rest of the timeout; must not block.  If it is called now, its errors are raised
        """
        if not self._topology.may_find_later(cell):
            return send(seconds)
        answer: LongAnswer[T] = LongAnswer()
        starts_at = self._runtime.clock()

        def send_later() -> None:
            try:
                sent = send(max(0.0, starts_at + seconds - self._runtime.clock()))
            except Exception as error:  # as if it had been raised at once
                answer.set_exception(error)
                return
            if isinstance(sent, LongAnswer):
                sent.call_when_still_working(answer.still_working)
            then(sent, lambda value: value, into=answer)

        if not self._hold(_Held(cell, starts_at + min(seconds, MAX_SECONDS), send_later)):
            return send(seconds)
        return answer

    def release(self) -> None:
        """Have the requests sent that can be sent now.  Does not block."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Send the rest, each of which reports that its cell cannot be found; hold no more.  May be called twice."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _hold(self, request: _Held) -> bool:
        with self._changed:
            if self._is_stopped or len(self._held) >= MAX_REQUESTS:
                return False
            if self._thread is None:
                try:
                    self._thread = self._runtime.spawn(self._work, "cells-held-requests")
                except RuntimeError:
                    return False
                LOG.info("Requests for full paths wait until the parents of this cell have announced its path.")
            self._held.append(request)
            self._changed.notify_all()
            return True

    def _work(self) -> None:
        while True:
            with self._changed:
                ready = self._take_ready()
                if not ready:
                    if not self._held:
                        self._thread = None
                        return
                    next_end = min(request.ends_at for request in self._held)
                    self._changed.wait(max(0.0, next_end - self._runtime.clock()))
                    continue
            for request in ready:
                request.send()

    def _take_ready(self) -> list[_Held]:
        """Return and remove the requests that wait no longer.  The caller holds the lock."""
        now, ready, waiting = self._runtime.clock(), list[_Held](), list[_Held]()
        for request in self._held:
            is_ready = self._is_stopped or request.ends_at <= now or not self._topology.may_find_later(request.cell)
            (ready if is_ready else waiting).append(request)
        self._held = waiting
        return ready

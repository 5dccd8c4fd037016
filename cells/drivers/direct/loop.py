"""Loop: the I/O thread of direct links, which serves many sockets and timers."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import cast

from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

#: Called with the mask of the selector's events.
OnReady = Callable[[int], None]


class Alarm:
    """A time at which ``ring`` runs on the thread of the loop.  Thread-safe.

    Most alarms move to a later time with each message.  So :meth:`set` only ever makes an alarm earlier, and an alarm
    may ring too early: ``ring`` looks at the clock, and sets the alarm again.
    """

    def __init__(self, loop: Loop, ring: Callable[[], None]) -> None:
        self.ring = ring
        #: when it rings; infinite: it does not
        self.due_at = math.inf
        self._loop = loop

    def set(self, due_at: float) -> None:
        """Ring at ``due_at`` at the latest."""
        if due_at < self.due_at:
            self._loop.add(self, due_at)


class Loop:
    """One thread, its selector and its alarms."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._clock = runtime.clock
        self._spawn = runtime.spawn
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        #: the alarms by time; an entry whose time is not that of its alarm is obsolete
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._calls: deque[Callable[[], None]] = deque()
        #: until when the thread sleeps; minus infinity while it works
        self._sleeps_until = -math.inf
        self._is_stopped = False
        self._thread: Thread | None = None
        # A byte in this pair of sockets ends the wait for other sockets.
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)

    def start(self) -> None:
        """:raises RuntimeError: the system has no thread left"""
        self._thread = self._spawn(self._run, self._name)

    def stop(self, timeout_seconds: float) -> None:
        """End the thread, and close all sockets that are watched.  May be called twice."""
        self._is_stopped = True
        self._wake()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            if self._thread.is_alive():
                return
        for key in list((self._selector.get_map() or {}).values()):
            cast("socket.socket", key.fileobj).close()
        self._selector.close()
        self._waker.close()

    def now(self) -> float:
        """Return the time of the clock of the alarms."""
        return self._clock()

    def call(self, work: Callable[[], None]) -> None:
        """Run ``work`` on the thread, soon.  Thread-safe."""
        self._calls.append(work)
        if self._sleeps_until > -math.inf:
            self._wake()

    def add(self, alarm: Alarm, due_at: float) -> None:
        """Let an alarm ring at ``due_at``.  Thread-safe."""
        with self._lock:
            if due_at >= alarm.due_at:
                return
            alarm.due_at = due_at
            heapq.heappush(self._alarms, (due_at, next(self._order), alarm))
            is_sooner = due_at < self._sleeps_until
        if is_sooner:
            self._wake()

    def watch(self, watched: socket.socket, events: int, on_ready: OnReady) -> None:
        """Call ``on_ready`` when the socket is ready, until :meth:`forget`.  Only on the thread of the loop."""
        self._selector.register(watched, events, on_ready)

    def change(self, watched: socket.socket, events: int, on_ready: OnReady) -> None:
        """Watch for other events than before.  Only on the thread of the loop."""
        self._selector.modify(watched, events, on_ready)

    def forget(self, watched: socket.socket) -> None:
        """Stop to watch a socket, if it is watched.  Only on the thread of the loop, before the socket is closed."""
        try:
            self._selector.unregister(watched)
        except (KeyError, ValueError):  # it was not watched, or the selector is closed
            return

    def _run(self) -> None:
        while not self._is_stopped:
            for key, mask in self._selector.select(self._sleep_seconds()):
                self._sleeps_until = -math.inf
                try:
                    key.data(mask)
                except Exception:  # a bug must cost one connection, not all
                    LOG.exception("A socket of a direct link could not be served.")
            self._sleeps_until = -math.inf
            self._work()
        self._work()  # what closes sockets

    def _sleep_seconds(self) -> float | None:
        with self._lock:
            alarms = self._alarms
            while alarms and alarms[0][0] != alarms[0][2].due_at:
                heapq.heappop(alarms)
            self._sleeps_until = alarms[0][0] if alarms else math.inf
        # Checked after _sleeps_until is set: call() wakes the thread from then on.
        if self._calls or self._is_stopped:
            return 0.0
        return None if self._sleeps_until == math.inf else max(0.0, self._sleeps_until - self._clock())

    def _work(self) -> None:
        """Run the calls and the alarms that are due."""
        works = [self._calls.popleft() for _ in range(len(self._calls))]
        now = self._clock()
        with self._lock:
            while self._alarms and self._alarms[0][0] <= now:
                due_at, _, alarm = heapq.heappop(self._alarms)
                if due_at == alarm.due_at:
                    alarm.due_at = math.inf
                    works.append(alarm.ring)
        for work in works:
            try:
                work()
            except Exception:  # a bug must cost one connection, not all
                LOG.exception("A timer of a direct link failed.")

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:  # the buffer is full, so it wakes up anyway; or it is closed
            return

    def _drain(self, _mask: int) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return

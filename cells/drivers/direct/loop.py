"""Loop: the I/O of direct links: many sockets and timers, and one thread at a time that serves them.

The thread that leads also hands received messages on, which saves a hand-over to another thread for each message.  If
that takes long, a thread that stands by leads instead; the former leader stands by when it comes back.
"""

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

    def cancel(self) -> None:
        """Never ring again, and forget ``ring``: the loop keeps an alarm until its time."""
        self.ring = _nothing


def _nothing() -> None:
    """Do nothing: the alarm was canceled."""


#: The leader goes round at least so often, to show that it can.
LOOK_SECONDS = 1.0
#: A leader that hands messages on for longer is replaced.
PATIENCE_SECONDS = 0.01
#: One that leads, one that stands by, and one that hands on messages of each class.
_MAX_THREADS = 5
#: The standby thread sleeps until it is woken if the leader has handed nothing on in so many checks.
_IDLE_CHECKS = 100


class Loop:
    """A selector, its alarms, and the threads that serve them in turn."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._clock = runtime.clock
        self._spawn = runtime.spawn
        #: the beginning of the names of its threads
        self.name = name
        #: when the leader last went round; None: no thread leads
        self.looked_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        #: the alarms by time; an entry whose time is not that of its alarm is obsolete
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._calls: deque[Callable[[], None]] = deque()
        #: until when the thread sleeps; minus infinity while it works
        self._sleeps_until = -math.inf
        self._is_stopped = False
        self._threads: list[Thread] = []
        self._turn_changed = threading.Condition()
        #: rises with each new leader
        self._turn = 0
        #: since when the leader hands messages on; None: it does not
        self._away_since: float | None = None
        #: how often a leader has begun to
        self._departures = 0
        #: threads that do not lead
        self._standbys = 0
        self._watching = threading.Lock()
        #: whether the standby thread waits without a timeout
        self._is_asleep = False
        # A byte in this pair of sockets ends the wait for other sockets.
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)

    def start(self) -> None:
        """Start a thread that leads and one that stands by.

        :raises RuntimeError: the system has no thread left
        """
        self.looked_at = self._clock()
        self._threads.append(self._spawn(self._start_leading, f"{self.name}_0"))
        self._add_standby()

    def stop(self, timeout_seconds: float) -> None:
        """End the threads, and close all sockets that are watched.  May be called twice."""
        self._is_stopped = True
        self.looked_at = None
        self._wake()
        with self._turn_changed:
            self._turn_changed.notify_all()
        until = self._clock() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock()))
        if any(thread.is_alive() for thread in self._threads):
            return
        self._work(self._turn)  # what closes sockets
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

    def leave(self) -> int:
        """Begin to hand messages on, on the thread that leads; return the argument of :meth:`come_back`."""
        self._away_since = self._clock()
        self._departures += 1
        if self._is_asleep:
            with self._turn_changed:
                self._turn_changed.notify_all()
        return self._turn

    def come_back(self, turn: int) -> None:
        """Serve sockets again, unless another thread leads meanwhile."""
        with self._turn_changed:
            if turn == self._turn:
                self._away_since = None

    def _start_leading(self) -> None:
        self._lead(self._turn)
        self._stand_by()

    def _stand_by(self) -> None:
        """Lead each time when the leader is away for too long."""
        while not self._is_stopped:
            with self._turn_changed:
                self._standbys += 1
            # One thread watches the leader; the others wait here.
            with self._watching:
                turn = self._wait_for_turn()
            if turn is not None:
                self._add_standby()
                self._lead(turn)

    def _add_standby(self) -> None:
        if self._standbys or len(self._threads) >= _MAX_THREADS:
            return
        try:
            self._threads.append(self._spawn(self._stand_by, f"{self.name}_{len(self._threads)}"))
        except RuntimeError as error:
            LOG.warning("The system has no thread left for direct links: %s", error)

    def _wait_for_turn(self) -> int | None:
        """Return the turn of the calling thread; None if the loop is stopped."""
        seen, idle_checks = -1, 0
        with self._turn_changed:
            while not self._is_stopped:
                since = self._away_since
                if since is not None and self._clock() - since >= PATIENCE_SECONDS:
                    self._turn += 1
                    self._away_since = None
                    self._standbys -= 1
                    return self._turn
                idle_checks = idle_checks + 1 if seen == self._departures and since is None else 0
                self._is_asleep = idle_checks > _IDLE_CHECKS
                # Read after _is_asleep is set: a leader that leaves from now on notifies this thread.
                seen = self._departures
                is_idle = self._is_asleep and self._away_since is None
                self._turn_changed.wait(None if is_idle else PATIENCE_SECONDS)
                self._is_asleep = False
            return None

    def _lead(self, turn: int) -> None:
        while not self._is_stopped:
            self.looked_at = self._clock()
            for key, mask in self._selector.select(self._sleep_seconds()):
                self._sleeps_until = -math.inf
                try:
                    key.data(mask)
                except Exception:  # a bug must cost one connection, not all
                    LOG.exception("A socket of a direct link could not be served.")
                if turn != self._turn:
                    # The new leader finds the other sockets ready, too.
                    return
            self._sleeps_until = -math.inf
            self._work(turn)
            if turn != self._turn:
                return
        self.looked_at = None

    def _sleep_seconds(self) -> float:
        with self._lock:
            alarms = self._alarms
            while alarms and alarms[0][0] != alarms[0][2].due_at:
                heapq.heappop(alarms)
            self._sleeps_until = alarms[0][0] if alarms else math.inf
        # Checked after _sleeps_until is set: call() wakes the thread from then on.
        if self._calls or self._is_stopped:
            return 0.0
        return min(LOOK_SECONDS, max(0.0, self._sleeps_until - self._clock()))

    def _work(self, turn: int) -> None:
        """Run the calls and the alarms that are due."""
        now = self._clock()
        with self._lock:
            while self._alarms and self._alarms[0][0] <= now:
                due_at, _, alarm = heapq.heappop(self._alarms)
                if due_at == alarm.due_at:
                    alarm.due_at = math.inf
                    self._calls.append(alarm.ring)
        for _ in range(len(self._calls)):
            try:
                self._calls.popleft()()
            except Exception:  # a bug must cost one connection, not all
                LOG.exception("A timer of a direct link failed.")
            if turn != self._turn:
                return

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

"""HeartbeatLoop: a thread that does one thing at intervals, sooner if asked, and survives what it does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: Time between two rounds at least, however often :meth:`HeartbeatLoop.wake` is called.
MIN_PAUSE_SECONDS = 0.2
#: First pause after a round that failed; it doubles up to the interval.
RETRY_SECONDS = 1.0


class HeartbeatLoop:
    """Calls ``work`` every ``interval_seconds`` from :meth:`start` to :meth:`stop`.

    ``work`` returns whether all went well: if not, it is called again sooner.
    """

    def __init__(self, work: Callable[[], bool], interval_seconds: float) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread | None = None

    @property
    def is_running(self) -> bool:
        """Not in a process that was forked from one where it runs: threads stay behind."""
        rounds = self._loop_thread
        return rounds is not None and rounds.is_alive()

    def start(self) -> None:
        """Begin with a first round at once, on a thread.  May be called twice."""
        with self._lock:
            if not self.is_running:
                self._loop_thread = _LoopThread(self._work, self._interval_seconds)
                self._loop_thread.start()

    def wake(self) -> None:
        """Begin the next round soon, unless the last one failed: then its pause is kept."""
        rounds = self._loop_thread
        if rounds is not None:
            rounds.woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """Begin no further round, and wait for the one under way.  May be called twice."""
        with self._lock:
            rounds, self._loop_thread = self._loop_thread, None
        if rounds is not None:
            rounds.stopping.set()
            rounds.woken.set()
            if rounds is not threading.current_thread():
                rounds.join(timeout_seconds)


class _LoopThread(threading.Thread):
    """The thread between one start and one stop: it can outlive the stop without being in the way of the next."""

    def __init__(self, work: Callable[[], bool], interval_seconds: float) -> None:
        super().__init__(name="matchmaker-heartbeat", daemon=True)
        self.stopping = threading.Event()
        self.woken = threading.Event()
        self._work = work
        self._interval_seconds = interval_seconds

    def run(self) -> None:
        retry_seconds = RETRY_SECONDS
        while True:
            # In this order: what is cleared here was not the call that stops, or it is seen at once.
            self.woken.clear()
            if self.stopping.is_set():
                return
            started_at = time.monotonic()
            if self._attempt():
                retry_seconds = RETRY_SECONDS
                self.woken.wait(max(0.0, started_at + self._interval_seconds - time.monotonic()))
                self.stopping.wait(max(0.0, started_at + MIN_PAUSE_SECONDS - time.monotonic()))
            else:
                self.stopping.wait(min(retry_seconds, self._interval_seconds))
                retry_seconds *= 2

    def _attempt(self) -> bool:
        try:
            return self._work()
        except Exception:
            # Without this thread every registration of the process would die.
            LOG.exception("A round of heartbeats failed unexpectedly; the next one is tried.")
            return False

"""HeartbeatLoop: a thread that repeats one task at intervals, sooner on request, and survives its errors."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: Minimum time between two rounds, however often :meth:`HeartbeatLoop.wake` is called.
MIN_PAUSE_SECONDS = 0.2
#: First retry interval after a failed round; it doubles up to the normal interval.
RETRY_SECONDS = 1.0


class HeartbeatLoop:
    """Calls ``work`` every ``interval_seconds`` from :meth:`start` to :meth:`stop`.

    ``work`` returns whether it succeeded: after a failure the next call comes sooner.
    """

    def __init__(self, work: Callable[[], bool], interval_seconds: float) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread | None = None

    @property
    def is_running(self) -> bool:
        """Whether the thread runs; False in a fork of the process, since a fork does not copy threads."""
        rounds = self._loop_thread
        return rounds is not None and rounds.is_alive()

    def start(self) -> None:
        """Start the thread; its first round begins at once.  May be called twice."""
        with self._lock:
            if not self.is_running:
                self._loop_thread = _LoopThread(self._work, self._interval_seconds)
                self._loop_thread.start()

    def wake(self) -> None:
        """Start the next round soon, unless the latest round failed: then the retry interval stays."""
        rounds = self._loop_thread
        if rounds is not None:
            rounds.woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """Start no further round, and wait for the current round.  May be called twice."""
        with self._lock:
            rounds, self._loop_thread = self._loop_thread, None
        if rounds is not None:
            rounds.stopping.set()
            rounds.woken.set()
            if rounds is not threading.current_thread():
                rounds.join(timeout_seconds)


class _LoopThread(threading.Thread):
    """Thread between one start and one stop: it may outlive the stop without affecting the next start."""

    def __init__(self, work: Callable[[], bool], interval_seconds: float) -> None:
        super().__init__(name="matchmaker-heartbeat", daemon=True)
        self.stopping = threading.Event()
        self.woken = threading.Event()
        self._work = work
        self._interval_seconds = interval_seconds

    def run(self) -> None:
        retry_seconds = RETRY_SECONDS
        while True:
            # Clear before the check: a stop before this line is seen by the check, a later stop sets woken again.
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
            # Without this thread, all registrations of the process would expire.
            LOG.exception("A round of heartbeats failed unexpectedly; the next round follows.")
            return False

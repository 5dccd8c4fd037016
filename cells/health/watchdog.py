"""The watchdog of systemd: fed while the threads of the manager make progress, and for no other reason."""

from __future__ import annotations

import logging
import threading

from cells.health.notifier import WATCHDOG, Notifier
from cells.health.progress import Progress
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Notifications in the time that systemd allows for one.
_TIMES = 3


class Watchdog:
    """A thread that notifies systemd, if it demands that."""

    def __init__(self, notifier: Notifier, progress: Progress, runtime: Runtime) -> None:
        self._notifier = notifier
        self._progress = progress
        self._runtime = runtime
        self._is_stopped = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        if self._notifier.watchdog_seconds is not None:
            self._runtime.spawn(self._run, "cells-watchdog")

    def stop(self) -> None:
        """End the thread.  May be called twice."""
        self._is_stopped.set()

    def _run(self) -> None:
        interval_seconds = (self._notifier.watchdog_seconds or 0.0) / _TIMES
        is_stalled = False
        while not self._is_stopped.is_set():
            stalled = self._progress.stalled()
            if not stalled:
                self._notifier.send(WATCHDOG)
            elif not is_stalled:
                LOG.error("Threads of the manager stand still, and systemd will restart it: %s.", ", ".join(stalled))
            is_stalled = bool(stalled)
            self._is_stopped.wait(interval_seconds)

"""What another manager has to know, but nobody waits for: it is told a little later, many things together.

Whoever is told at once competes for the processor with what comes next, for which somebody does wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: Long for one call after the other, short for a manager that stops when it has heard of all.
DELAY_SECONDS = 0.1


class Receipts:
    """Tells later.  Thread-safe."""

    def __init__(self, delay_seconds: float = DELAY_SECONDS) -> None:
        self._delay_seconds = delay_seconds
        self._changed = threading.Condition()
        self._waiting: list[Callable[[], object]] = []
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def add(self, tell: Callable[[], object]) -> None:
        """Call ``tell`` soon, on another thread; at once if it is over, or there is no such thread.

        :param tell: must not block
        """
        with self._changed:
            can_wait = not self._is_stopped and self._has_thread()
            if can_wait:
                self._waiting.append(tell)
                self._changed.notify()
        if not can_wait:
            _call(tell)

    def _has_thread(self) -> bool:
        """Called with the lock; False if the system gives none."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="cells-receipts", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                LOG.info("What can wait is told at once: the system gives this manager no thread (%s).", error)
                return False
            self._thread = thread
        return True

    def stop(self) -> None:
        """Tell what is left to be told, now.  May be called twice."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_stopped)
                self._changed.wait_for(lambda: self._is_stopped, self._delay_seconds)
                waiting, self._waiting = self._waiting, []
                is_over = self._is_stopped
            for tell in waiting:
                _call(tell)
            if is_over:
                return


def _call(tell: Callable[[], object]) -> None:
    try:
        tell()
    except Exception:  # a bug must cost one receipt, not all that follow
        LOG.exception("A manager could not be told that its client has been answered.")

"""Waiters: threads that wait until a link is in some state, at no cost for the link while there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waiters:
    """Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def wait(self, is_reached: Callable[[], object], timeout_seconds: float) -> bool:
        """Wait until ``is_reached()`` is true; return whether it is.  It is asked after each :meth:`notify`."""
        with self._changed:
            # Before the first question: a change after it then finds the waiter.
            self._count += 1
            try:
                return bool(self._changed.wait_for(is_reached, timeout_seconds))
            finally:
                self._count -= 1

    def notify(self) -> None:
        """Let the waiters look again.  Called after a change of the state, without the lock of the link."""
        if self._count:
            with self._changed:
                self._changed.notify_all()

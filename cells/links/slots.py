"""The limit on open links: each open link holds a connection and a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LinkSlots:
    """A bounded number of slots, one per open link.  Thread-safe."""

    def __init__(self, count: int, close_idle_link: Callable[[], object]) -> None:
        """:param close_idle_link: asks one idle link to close; called when all slots are taken.  Must not block"""
        self._close_idle_link = close_idle_link
        self._slots = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def is_crowded(self) -> bool:
        """Whether a link waits for a slot."""
        return self._waiting > 0

    def acquire(self) -> None:
        """Take a slot; wait until one is free."""
        if self._slots.acquire(blocking=False):
            return
        with self._lock:
            self._waiting += 1
        # If all links are busy, the first one that becomes idle sees `is_crowded` and closes.
        self._close_idle_link()
        self._slots.acquire()
        with self._lock:
            self._waiting -= 1

    def release(self) -> None:
        """Free the slot of a closed link."""
        self._slots.release()

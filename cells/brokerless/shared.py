"""Shared: objects that all transports of a process share, such as a listening socket or a MatchMaker.

Two servers of one process cannot both bind the same address, and one heartbeat per
process is enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Reference-counted objects by key: created for the first user, closed after the last user."""

    def __init__(self, close: Callable[[T], None]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[T, int]] = {}

    def acquire(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object of ``key``; call ``make`` if it does not exist.  Errors of ``make`` are passed on."""
        with self._lock:
            shared, users = self._entries.get(key) or (make(), 0)
            self._entries[key] = (shared, users + 1)
            return shared

    def release(self, key: Hashable) -> None:
        """Give up the object.  Call this exactly once after each successful ``acquire``."""
        with self._lock:
            shared, users = self._entries.pop(key)
            if users > 1:
                self._entries[key] = (shared, users - 1)
                return
            # Under the lock: the next user may need the same address.
            self._close(shared)

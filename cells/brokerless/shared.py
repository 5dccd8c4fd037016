"""What a process has once, however many transports it opens: a socket to listen on, a MatchMaker.

Two servers that the same process starts on one address cannot both bind it; and
one heartbeat a process is enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Objects by key, each made for the first user and closed after the last one."""

    def __init__(self, close: Callable[[T], None]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[T, int]] = {}

    def acquire(self, key: Hashable, make: Callable[[], T]) -> T:
        """The object of that key, made by ``make`` if there is none; what that raises goes to the caller."""
        with self._lock:
            shared, users = self._entries.get(key) or (make(), 0)
            self._entries[key] = (shared, users + 1)
            return shared

    def release(self, key: Hashable) -> None:
        """Let go of it.  Each user does so once, after an ``acquire`` that succeeded."""
        with self._lock:
            shared, users = self._entries.pop(key)
            if users > 1:
                self._entries[key] = (shared, users - 1)
                return
            # Under the lock: the next user may want to bind the same address.
            self._close(shared)

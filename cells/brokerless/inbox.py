"""The queue between the thread that reads the socket and the thread of one listener."""

from __future__ import annotations

import queue
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue bounded in messages and in bytes, that never blocks who puts."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._messages = 0
        self._bytes = 0
        self._is_closed = False
        self._queue: queue.SimpleQueue[tuple[T, int] | None] = queue.SimpleQueue()

    def put(self, message: T, size_bytes: int) -> bool:
        """Take ``message``; False if the inbox is full or closed.  A first message always fits."""
        with self._lock:
            is_full = self._messages >= self._max_messages or self._bytes + size_bytes > self._max_bytes
            if self._is_closed or (is_full and self._messages):
                return False
            self._add(message, size_bytes)
            return True

    def put_back(self, message: T, size_bytes: int) -> None:
        """Take a message once more that was in here already; never refused."""
        with self._lock:
            self._add(message, size_bytes)

    def _add(self, message: T, size_bytes: int) -> None:
        self._messages += 1
        self._bytes += size_bytes
        self._queue.put((message, size_bytes))

    def take(self, timeout_seconds: float | None = None) -> T | None:
        """The oldest message; None after that time, or at once when the inbox is closed and empty."""
        try:
            entry = self._queue.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        if entry is None:
            self._queue.put(None)  # for whoever asks next
            return None
        message, size_bytes = entry
        with self._lock:
            self._messages -= 1
            self._bytes -= size_bytes
        return message

    def close(self) -> None:
        """Refuse further messages.  What is in it can still be taken."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)

    def __len__(self) -> int:
        return self._messages

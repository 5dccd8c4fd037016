"""The queue of one listener: bounded, and refusing instead of blocking when it is full.

A message counts from when it was accepted until somebody works on it, wherever it
waits in between: the thread pool of an RPC server has a queue of its own, without a bound.
"""

from __future__ import annotations

import abc
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(abc.ABC, Generic[T]):
    """Messages for one listener.  Thread-safe, and never blocks who puts."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._messages = 0
        self._bytes = 0
        self._is_closed = False

    def put(self, message: T, size_bytes: int) -> bool:
        """Accept ``message``; False if the inbox is full or closed.  The first one always fits."""
        with self._changed:
            is_full = self._messages >= self._max_messages or self._bytes + size_bytes > self._max_bytes
            if self._is_closed or (is_full and self._messages):
                return False
            self._messages += 1
            self._bytes += size_bytes
            self._append(message)
            return True

    def put_back(self, message: T) -> bool:
        """Take a message once more that was accepted and is not :meth:`done`; False if the inbox is closed."""
        with self._changed:
            if not self._is_closed:
                self._append(message)
            return not self._is_closed

    def done(self, size_bytes: int) -> None:
        """An accepted message is worked on, and makes room for another one."""
        with self._changed:
            self._messages -= 1
            self._bytes -= size_bytes

    def close(self) -> None:
        """Refuse further messages; those in it are still handed out.  May be called twice."""
        with self._changed:
            self._is_closed = True

    def run(self) -> None:
        """Called after :meth:`put` by the thread that put: handle what waits, if nobody else does."""

    @abc.abstractmethod
    def _append(self, message: T) -> None:
        """Add it at the end; called with the lock held."""

    def __len__(self) -> int:
        return self._messages


class PolledInbox(Inbox[T]):
    """One that a listener with a thread of its own takes from."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        super().__init__(max_messages, max_bytes)
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()

    def _append(self, message: T) -> None:
        self._queue.put(message)

    def take(self, timeout_seconds: float | None = None) -> T | None:
        """The oldest message; None after that time, or at once when the inbox is closed and empty."""
        try:
            message = self._queue.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        if message is None:
            self._queue.put(None)  # for whoever asks next
        return message

    def close(self) -> None:
        super().close()
        self._queue.put(None)


class DirectInbox(Inbox[T]):
    """One whose messages are handled by the thread that puts them, one at a time and in order.

    Handing a message to another thread costs more than most of them take to handle.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        super().__init__(max_messages, max_bytes)
        self._waiting: deque[T] = deque()
        self._handle: Callable[[T], None] | None = None
        self._worker: int | None = None  #: id of the thread that handles messages now

    def _append(self, message: T) -> None:
        self._waiting.append(message)

    def start(self, handle: Callable[[T], None]) -> None:
        """Handle what waits, and from now on what comes.  ``handle`` must not raise."""
        self._handle = handle
        self.run()

    def run(self) -> None:
        while True:
            with self._changed:
                if self._handle is None or self._worker not in (None, threading.get_ident()):
                    return
                if not self._waiting:
                    self._worker = None
                    self._changed.notify_all()
                    return
                self._worker = threading.get_ident()
                message = self._waiting.popleft()
            self._handle(message)
            del message  # while nothing comes this thread must not keep a large one alive

    def wait_until_empty(self) -> None:
        """Return when everything that was accepted is handled; what is being handled in this very thread excepted."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._worker in (None, me) and not (self._waiting and self._handle))

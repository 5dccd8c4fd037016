"""Inbox: the bounded queue of one listener.  A full inbox refuses messages instead of blocking.

A message counts from its acceptance until its processing starts.  This includes the time in
the queue of an RPC server's thread pool, which has no limit of its own.
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
    """Messages for one listener.  Thread-safe; :meth:`put` never blocks."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._messages = 0
        self._bytes = 0
        self._is_closed = False

    def put(self, message: T, size_bytes: int) -> bool:
        """Accept ``message``; return False if the inbox is full or closed.  An empty inbox accepts any size."""
        with self._changed:
            is_full = self._messages >= self._max_messages or self._bytes + size_bytes > self._max_bytes
            if self._is_closed or (is_full and self._messages):
                return False
            self._messages += 1
            self._bytes += size_bytes
            self._append(message)
            return True

    def put_back(self, message: T) -> bool:
        """Accept again a message that is not :meth:`done`; return False if the inbox is closed."""
        with self._changed:
            if not self._is_closed:
                self._append(message)
            return not self._is_closed

    def done(self, size_bytes: int) -> None:
        """Free the space of an accepted message: its processing has started."""
        with self._changed:
            self._messages -= 1
            self._bytes -= size_bytes

    def close(self) -> None:
        """Refuse further messages; accepted messages are still handed out.  May be called twice."""
        with self._changed:
            self._is_closed = True

    def run(self) -> None:
        """Handle the waiting messages unless another thread does.  Called after :meth:`put` by the same thread."""

    @abc.abstractmethod
    def _append(self, message: T) -> None:
        """Append ``message``; called with the lock held."""

    def __len__(self) -> int:
        return self._messages


class PolledInbox(Inbox[T]):
    """Inbox for a listener with a thread of its own, which takes messages."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        super().__init__(max_messages, max_bytes)
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()

    def _append(self, message: T) -> None:
        self._queue.put(message)

    def take(self, timeout_seconds: float | None = None) -> T | None:
        """Return the oldest message; None after the timeout, or at once if the inbox is closed and empty."""
        try:
            message = self._queue.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        if message is None:
            self._queue.put(None)  # for the next call
        return message

    def close(self) -> None:
        super().close()
        self._queue.put(None)


class DirectInbox(Inbox[T]):
    """Inbox whose messages are handled by the thread that puts them, one at a time and in order.

    Most messages take less time to handle than to hand over to another thread.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        super().__init__(max_messages, max_bytes)
        self._waiting: deque[T] = deque()
        self._handle: Callable[[T], None] | None = None
        self._worker: int | None = None  #: id of the thread that handles messages now

    def _append(self, message: T) -> None:
        self._waiting.append(message)

    def start(self, handle: Callable[[T], None]) -> None:
        """Handle the waiting messages, and from now on each new message.  ``handle`` must not raise."""
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
            del message  # an idle thread must not keep a large message alive

    def wait_until_empty(self) -> None:
        """Return when all accepted messages are handled, except for a message that this thread is handling."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._worker in (None, me) and not (self._waiting and self._handle))

"""The messages that wait for one neighbor, and those of them that travel together.

Messages share a cast because they wait, and never wait in order to share one.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cells import exceptions
from cells.drivers.base import Outgoing

#: Takes the reason why a message was not delivered.  Must not block.
OnFailure = Callable[[exceptions.CellsError], None]
#: Called when the broker has taken a message.  Must not block.
OnSent = Callable[[], object]
#: A message, and who is to be told what becomes of it.
Parcel = tuple[Outgoing, OnFailure, "OnSent | None"]

#: Bounds of one cast of many messages.  More would save little, and make a message wait for the last of them.
MAX_MESSAGES = 256
MAX_BYTES = 1024 * 1024


class Waiting(NamedTuple):
    """One message, and who is to be told what became of it."""

    queued_at: float
    message: Outgoing
    on_failure: OnFailure
    on_sent: OnSent | None


class WaitingMessages:
    """A bounded queue.  Not thread-safe: the outbox that has it locks."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._count = 0
        self._bytes = 0
        #: a queue for each kind that may share a cast, and one for all that travel alone
        self._queues: dict[object, collections.deque[Waiting]] = {}

    def __len__(self) -> int:
        return self._count

    def overflow(self, size_bytes: int) -> str:
        """Why there is no room for so many bytes more; empty if there is."""
        if self._count >= self._max_messages:
            return f"{self._count} messages wait ([cells] send_queue_size)"
        if self._count and self._bytes + size_bytes > self._max_bytes:
            return f"{self._bytes} bytes of messages wait ([cells] send_queue_bytes)"
        return ""

    def put(self, parcels: Sequence[Parcel], start: int, queued_at: float) -> int:
        """Add ``parcels[start:]``, as many of them as there is room for; returns how many that is."""
        count = 0
        for message, on_failure, on_sent in parcels[start:]:
            size_bytes = message.size_bytes
            if self.overflow(size_bytes):
                break
            count += 1
            self._count += 1
            self._bytes += size_bytes
            kind = _kind(message)
            queue = self._queues.get(kind)
            if queue is None:
                queue = self._queues[kind] = collections.deque()
            queue.append(Waiting(queued_at, message, on_failure, on_sent))
        return count

    def take(self) -> list[Waiting]:
        """The message that has waited longest, and those after it that may share a cast with it."""
        kind = min(self._queues, key=lambda candidate: self._queues[candidate][0].queued_at)
        queue = self._queues[kind]
        taken = [queue.popleft()]
        total_bytes = taken[0].message.size_bytes
        if kind is not None:
            while queue and len(taken) < MAX_MESSAGES:
                total_bytes += queue[0].message.size_bytes
                if total_bytes > MAX_BYTES:
                    break
                taken.append(queue.popleft())
        if not queue:
            del self._queues[kind]
        self._count -= len(taken)
        self._bytes -= sum(waiting.message.size_bytes for waiting in taken)
        return taken

    def clear(self) -> list[Waiting]:
        """Take all."""
        everything = [waiting for queue in self._queues.values() for waiting in queue]
        self._queues.clear()
        self._count = self._bytes = 0
        return everything


def _kind(message: Outgoing) -> object:
    """Equal for messages that may share a cast, None for those that travel alone."""
    if not message.may_share_a_cast:
        return None
    # A broker drops calls that nobody waits for any more, and has to keep casts: they travel apart.
    return (message.message_type, message.fanout, message.server, message.version, message.deadline is None)

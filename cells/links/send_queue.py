"""The send queue of one neighbor, and the batches that it makes of its messages.

Messages that are queued at the same time share a cast.  A message waits for others only if its sender allows that.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cells import exceptions
from cells.drivers.base import Outgoing

#: About the length of a message without its content.
HEAD_BYTES = 400

#: Takes the reason why a message was not delivered.  Must not block.
OnFailure = Callable[[exceptions.CellsError], None]
#: Called when the broker has taken a message.  Must not block.
OnSent = Callable[[], object]


class Countable(Outgoing, Protocol):
    """A message as links queue it."""

    @property
    def kind(self) -> str:
        """The word under which the ledger of losses counts it; empty: it is not counted."""


class DirectReply(NamedTuple):
    """The value of a call, for a client that waits on the neighbor's broker; queued like a message, but sent alone."""

    #: where the client waits; only drivers read it
    reply_to: str
    #: JSON text
    value: str

    @property
    def fanout(self) -> bool:
        return False

    @property
    def kind(self) -> str:
        """In flight like an answer.  If the client does not get the value, its manager gets an answer."""
        return "answer"

    @property
    def size_bytes(self) -> int:
        """Return about the length of the value, and of the message that is kept until the client has the value."""
        return 2 * len(self.value) + HEAD_BYTES

    def is_late(self, now: float) -> bool:  # noqa: ARG002  # as of a message
        """Return False: the call has run, and its client knows when it stops waiting."""
        return False


#: A message or a direct reply, and the callbacks that report its delivery.
SendRequest = tuple["Countable | DirectReply", OnFailure, "OnSent | None"]

#: Limits of one cast of many messages.  Larger casts would save little, and delay their first messages.
MAX_MESSAGES = 256
MAX_BYTES = 1024 * 1024


class QueuedMessage(NamedTuple):
    """A message or a direct reply in the queue, and the callbacks that report its delivery."""

    queued_at: float
    #: the same time, or the end of the time that it may wait for others
    due_at: float
    message: Countable | DirectReply
    on_failure: OnFailure
    on_sent: OnSent | None


class _Messages(collections.deque[QueuedMessage]):
    """The queued messages of one kind, in their order."""

    #: when the first of them has to be sent
    due_at = math.inf


class SendQueue:
    """A bounded queue.  Not thread-safe: its link locks."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._count = 0
        self._bytes = 0
        #: by kind: messages of one kind may share a cast; messages that travel alone have the kind None
        self._kinds: dict[object, _Messages] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def due_at(self) -> float:
        """When the next message has to be sent; infinite if the queue is empty."""
        return min((messages.due_at for messages in self._kinds.values()), default=math.inf)

    def overflow(self, size_bytes: int) -> str:
        """Return why the queue has no room for another ``size_bytes``; empty if it has room."""
        if self._count >= self._max_messages:
            return f"{self._count} messages are queued ([cells] send_queue_size)"
        if self._count and self._bytes + size_bytes > self._max_bytes:
            return f"{self._bytes} bytes of messages are queued ([cells] send_queue_bytes)"
        return ""

    def put(self, requests: Sequence[SendRequest], start: int, queued_at: float, hold_seconds: float = 0.0) -> int:
        """Add as many of ``requests[start:]`` as there is room for; return their number.

        :param hold_seconds: how long the messages may wait for others of their kind
        """
        count = 0
        due_at = queued_at + hold_seconds
        for message, on_failure, on_sent in requests[start:]:
            size_bytes = message.size_bytes
            if self.overflow(size_bytes):
                break
            count += 1
            self._count += 1
            self._bytes += size_bytes
            kind = _kind(message)
            messages = self._kinds.get(kind)
            if messages is None:
                messages = self._kinds[kind] = _Messages()
            messages.append(QueuedMessage(queued_at, due_at, message, on_failure, on_sent))
            messages.due_at = min(messages.due_at, due_at)
        return count

    def take(self, now: float = math.inf) -> list[QueuedMessage]:
        """Remove and return the oldest message of a kind that is due at ``now``, and those that may share its cast."""
        kind, messages = min(
            ((kind, messages) for kind, messages in self._kinds.items() if messages.due_at <= now),
            key=lambda candidate: candidate[1][0].queued_at,
        )
        taken = [messages.popleft()]
        total_bytes = taken[0].message.size_bytes
        if kind is not None:
            while messages and len(taken) < MAX_MESSAGES:
                total_bytes += messages[0].message.size_bytes
                if total_bytes > MAX_BYTES:
                    break
                taken.append(messages.popleft())
        if not messages:
            # Messages that stay are due at once: their cast is full without them.
            del self._kinds[kind]
        self._count -= len(taken)
        self._bytes -= sum(queued.message.size_bytes for queued in taken)
        return taken

    def backlog(self) -> tuple[int, int, float]:
        """Return the number of messages, their bytes, and when the oldest was queued; infinite without any."""
        oldest = min((messages[0].queued_at for messages in self._kinds.values()), default=math.inf)
        return self._count, self._bytes, oldest

    def clear(self) -> list[QueuedMessage]:
        """Remove and return all messages."""
        everything = [queued for messages in self._kinds.values() for queued in messages]
        self._kinds.clear()
        self._count = self._bytes = 0
        return everything


def _kind(message: Countable | DirectReply) -> object:
    """Return an equal value for messages that may share a cast, None for a message that travels alone."""
    if isinstance(message, DirectReply) or not message.may_share_a_cast:
        return None
    # A broker drops an expired call, and has to keep a cast: they do not share a publish.
    return (message.message_type, message.fanout, message.server, message.version, message.deadline is None)

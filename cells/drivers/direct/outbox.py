"""Outbox: the messages for one neighbor from their acceptance until their fate is known."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence

from cells import exceptions
from cells.drivers.direct.events import Acknowledged, Event, MayHaveArrived, NotSent
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Windows
from cells.drivers.direct.message import Message

LOG = logging.getLogger(__name__)

#: Deadlines that pass within this time are looked for once, because each search reads all messages.
_EXPIRY_SECONDS = 0.1


class Outbox:
    """Bounded for each class, so that requests use up no room of responses.

    Not thread-safe, except for :meth:`report`: its link locks.
    """

    def __init__(self, cell: str, limits: Windows) -> None:
        self._cell = cell
        self._limits = (limits.control, limits.response, limits.request)
        self._counts = [0] * len(MessageClass)
        self._bytes = [0] * len(MessageClass)
        #: all messages; the values tell whether a session has them
        self._messages: dict[Message, bool] = {}
        #: those that no session has, by class.  Not deques, which take 700 bytes each if empty
        self._waiting: tuple[list[Message], ...] = tuple([] for _ in MessageClass)
        #: the earliest deadline
        self.expires_at = math.inf
        #: outcomes that are not reported yet, because the lock of the link is held
        self._outcomes: deque[tuple[Message, exceptions.CellsError | None]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_crowded(self) -> bool:
        """Whether more than half of the room for requests is taken."""
        limit = self._limits[MessageClass.REQUEST]
        count, size = self._counts[MessageClass.REQUEST], self._bytes[MessageClass.REQUEST]
        return 2 * count > limit.messages or 2 * size > limit.bytes

    @property
    def is_waiting(self) -> bool:
        """Whether messages wait for a connection."""
        return any(self._waiting)

    def add(self, message: Message) -> bool:
        """Accept a message; without room for it, report NeighborBusy and return False."""
        number, size = message.message_class, len(message.payload)
        limit = self._limits[number]
        if self._counts[number] and (
            self._counts[number] >= limit.messages or self._bytes[number] + size > limit.bytes
        ):
            self.refuse(
                message,
                exceptions.NeighborBusy(
                    f"{self._counts[number]} messages of {self._bytes[number]} bytes wait for cell {self._cell} "
                    "already: it is slower than its traffic; try again later.",
                    cell=self._cell,
                ),
            )
            return False
        self._counts[number] += 1
        self._bytes[number] += size
        self._messages[message] = False
        if message.deadline is not None and message.deadline < self.expires_at:
            self.expires_at = message.deadline
        return True

    def refuse(self, message: Message, error: exceptions.CellsError) -> None:
        """Report the outcome of a message that was not added."""
        message.is_done = True
        self._outcomes.append((message, error))

    def withdraw(self, message: Message) -> None:
        """Forget a message without an outcome: its copies take its place."""
        self._remove(message)

    def wait(self, message: Message) -> None:
        """Keep a message until there is a connection for it."""
        self._waiting[message.message_class].append(message)

    def hand_over(self, message: Message) -> None:
        """Take note that a session has the message."""
        self._messages[message] = True

    def settle(self, event: Event, unknown: Callable[[], exceptions.CellsError]) -> bool:
        """Take the fate of messages that a session had; return whether some of them wait again.

        :param unknown: makes the error of a message that may have arrived
        """
        if isinstance(event, NotSent):
            self._take_back(event)
            return True
        if isinstance(event, Acknowledged):
            for message in event.keys:
                self.finish(message, None)
        elif isinstance(event, MayHaveArrived):
            for message in event.keys:
                self.finish(message, unknown())
        return False

    def _take_back(self, event: NotSent) -> None:
        """Keep messages that a session has not sent, before those that wait already."""
        known: list[Message] = [message for message in event.keys if message in self._messages]
        wanted = [message for message in known if not message.is_done]
        for message in known:
            if message.is_done:
                self._remove(message)
            else:
                self._messages[message] = False
        self._waiting[event.message_class][:0] = wanted

    def take_back(self, messages: Sequence[Message]) -> None:
        """Keep messages of one class that no sibling has sent, before those that wait already."""
        self._take_back(NotSent(messages[0].message_class, messages))

    def take_waiting(self) -> list[Message]:
        """Remove and return the messages that wait, in their order.  Each one is placed, or waits again."""
        found: list[Message] = []
        for waiting in self._waiting:
            found += waiting
            waiting.clear()
        return found

    def finish(self, message: Message, error: exceptions.CellsError | None) -> None:
        """Forget a message, and report its outcome unless its deadline has passed before."""
        if message in self._messages:
            self._remove(message)
            self._report_later(message, error)

    def expire(self, now: float) -> None:
        """Report the messages whose deadline has passed.  A session may send them nevertheless."""
        self.expires_at = math.inf
        for message, is_handed_over in list(self._messages.items()):
            deadline = message.deadline
            if deadline is None or message.is_done:
                continue
            if deadline > now:
                self.expires_at = min(self.expires_at, max(deadline, now + _EXPIRY_SECONDS))
                continue
            if not is_handed_over:
                self._remove(message)
            text = f"Cell {self._cell} has not taken a message before its deadline."
            if is_handed_over:
                text = f"{text} {exceptions.MAY_HAVE_ARRIVED}"
            self._report_later(message, exceptions.CellTimeout(text, cell=self._cell))
        for waiting in self._waiting:
            waiting[:] = [message for message in waiting if not message.is_done]

    def finish_all(self, error: Callable[[bool], exceptions.CellsError], *, waiting_only: bool = False) -> None:
        """Give up the messages.

        :param error: makes the error, of whether the message may have arrived
        """
        for message, is_handed_over in list(self._messages.items()):
            if not (waiting_only and is_handed_over):
                self.finish(message, error(is_handed_over))
        for waiting in self._waiting:
            waiting.clear()

    def report(self) -> None:
        """Call the callbacks.  The caller does not hold the lock of the link.  Thread-safe."""
        outcomes = self._outcomes
        while outcomes:
            try:
                message, error = outcomes.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                message.on_done(error)
            except Exception:  # a bug of the sender must not cost the connection
                LOG.exception("The outcome of a message for cell %s could not be reported.", self._cell)

    @property
    def oldest_at(self) -> float | None:
        """When the oldest message was taken, in seconds of the clock; None: there is no message."""
        return next((message.accepted_at for message in self._messages), None)

    def usage(self) -> dict[str, dict[str, int]]:
        """Return the messages and bytes of each class."""
        return {
            message_class.name.lower(): {"messages": self._counts[message_class], "bytes": self._bytes[message_class]}
            for message_class in MessageClass
        }

    def _report_later(self, message: Message, error: exceptions.CellsError | None) -> None:
        if not message.is_done:
            message.is_done = True
            self._outcomes.append((message, error))

    def _remove(self, message: Message) -> None:
        del self._messages[message]
        self._counts[message.message_class] -= 1
        self._bytes[message.message_class] -= len(message.payload)

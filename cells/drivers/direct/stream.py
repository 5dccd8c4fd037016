"""The messages between this process and one manager of a neighbor, over all their connections.

A connection may break at any byte.  The numbers here decide the fate of each message: the peer has taken it, the peer
will never take it, or nobody knows.  Only marks that the peer itself states decide it: in an acknowledgement, in its
goodbye, or in its answer to the hello of a later connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cells.drivers.direct import errors
from cells.drivers.direct.events import Acknowledged, Event, Key, MayHaveArrived, NotSent
from cells.drivers.direct.frames import Marks, MessageClass, Welcome


class Holder(Protocol):
    """The one connection over which the two processes exchange messages."""

    @property
    def dialed(self) -> bool:
        """Whether this side opened it."""

    def replace(self) -> list[Event]:
        """End it at once, because another connection takes over; return the events of its messages."""


class Lane:
    """The numbers of one class, in both directions."""

    def __init__(self) -> None:
        #: number of the last message that was taken from the peer
        self.taken = 0
        #: number of the last message that was sent to the peer
        self.sent = 0
        #: the messages up to ``sent`` that the peer has not acknowledged.  Not a deque, which takes 700 bytes if empty
        self._keys: list[Key] = []
        self._sizes: list[int] = []
        self.unacknowledged = 0
        self.unacknowledged_bytes = 0

    def send(self, keys: Sequence[Key], sizes: Sequence[int]) -> int:
        """Number messages that are sent now; return the number of the first."""
        first = self.sent + 1
        self.sent += len(keys)
        self._keys.extend(keys)
        self._sizes.extend(sizes)
        self.unacknowledged += len(keys)
        self.unacknowledged_bytes += sum(sizes)
        return first

    def acknowledge(self, mark: int) -> list[Key]:
        """Return the messages up to ``mark``, which the peer has taken.

        :raises ProtocolViolation: ``mark`` is beyond the last message
        """
        if mark > self.sent:
            raise errors.ProtocolViolation(f"The peer acknowledged message {mark} of {self.sent}.")
        return self._pop(mark - (self.sent - self.unacknowledged))

    def settle(self, mark: int) -> tuple[list[Key], list[Key]]:
        """Return the messages up to ``mark``, which the peer has taken, and the others, which it will never take.

        The next message gets the number after ``mark``.
        """
        taken = self._pop(min(mark - (self.sent - self.unacknowledged), self.unacknowledged))
        self.sent = mark
        return taken, self.give_up()

    def give_up(self) -> list[Key]:
        """Return all messages that are not acknowledged, and forget them."""
        return self._pop(self.unacknowledged)

    def _pop(self, count: int) -> list[Key]:
        if count <= 0:
            return []
        keys = self._keys[:count]
        self.unacknowledged -= count
        self.unacknowledged_bytes -= sum(self._sizes[:count])
        del self._keys[:count], self._sizes[:count]
        return keys


class Stream:
    """What survives the connections between two incarnations.

    Not thread-safe: one thread at a time uses a stream and all sessions on it.
    """

    def __init__(self, own: str, peer: str) -> None:
        """:param own: the incarnation of this process
        :param peer: the incarnation of the other process
        """
        self._own_dial_wins = own < peer
        self.lanes = tuple(Lane() for _ in MessageClass)
        self._holder: Holder | None = None
        #: the numbers of the first and of the last statement of this side
        self._memory: int | None = None
        self._last_statement = 0
        #: the last answer of the peer to a hello
        self._heard: Welcome | None = None

    @property
    def marks(self) -> Marks:
        """The messages that this side has taken."""
        control, response, request = self.lanes
        return control.taken, response.taken, request.taken

    def offer(self, holder: Holder, clock: int) -> Welcome:
        """Make a dialed connection the holder, when its hello was answered; return the answer to that hello.

        :param clock: microseconds of this side's link clock
        :raises NotNeeded: another connection is in use
        """
        if self._holder is not None:
            raise errors.NotNeeded("Another connection to the same manager is in use.")
        self._holder = holder
        return self._state(clock)

    def accept(self, holder: Holder, welcome: Welcome, clock: int) -> tuple[Welcome, list[Event]]:
        """Make a connection that the peer dialed the holder; return the answer to its hello, and :meth:`resume`.

        The older connection ends.  If each side has dialed the other, the dial of the lower incarnation wins on both
        sides.

        :raises NotNeeded: the older connection stays
        """
        older = self._holder
        if older is not None and older.dialed and self._own_dial_wins:
            raise errors.NotNeeded("A connection that this side has dialed is in use.")
        # The messages that wait in the older connection come after those that it has sent.
        events = [*self.resume(welcome), *(older.replace() if older is not None else [])]
        self._holder = holder
        return self._state(clock), events

    def _state(self, clock: int) -> Welcome:
        # The clock is later than all statements of a stream to the same incarnation that this side has forgotten.
        self._last_statement = max(self._last_statement + 1, clock)
        if self._memory is None:
            self._memory = self._last_statement
        return Welcome(self._memory, self._last_statement, self.marks)

    def resume(self, welcome: Welcome) -> list[Event]:
        """Settle all messages of earlier connections by the marks that the peer states at the start of a new one.

        :raises NotNeeded: the peer made the statement before one that was read already.  It waited in the socket of an
            abandoned connection, and the peer may have taken messages since
        """
        if self._heard is not None and welcome.statement <= self._heard.statement:
            raise errors.NotNeeded("The peer has opened a later connection.")
        heard, self._heard = self._heard, welcome
        if heard is None or heard.memory == welcome.memory:
            return self.settle(frozenset(MessageClass), welcome.marks)
        # The peer has forgotten how much it had taken.
        return [*self.give_up(), *self.settle(frozenset(MessageClass), welcome.marks)]

    def settle(self, classes: frozenset[MessageClass], marks: Marks) -> list[Event]:
        """Settle the messages of ``classes``: the peer takes nothing beyond ``marks`` over the connection so far."""
        settled = {message_class: self.lanes[message_class].settle(marks[message_class]) for message_class in classes}
        acknowledged = [key for taken, _ in settled.values() for key in taken]
        events: list[Event] = [Acknowledged(acknowledged)] if acknowledged else []
        events += [NotSent(message_class, unsent) for message_class, (_, unsent) in settled.items() if unsent]
        return events

    def acknowledge(self, marks: Marks) -> list[Event]:
        """Return the event of the messages up to ``marks``.

        :raises ProtocolViolation: the peer acknowledges a message that was not sent
        """
        keys: list[Key] = []
        for lane, mark in zip(self.lanes, marks, strict=True):
            if mark > lane.sent - lane.unacknowledged:
                keys += lane.acknowledge(mark)
        return [Acknowledged(keys)] if keys else []

    def release(self, holder: Holder) -> None:
        """Forget a connection that has ended."""
        if self._holder is holder:
            self._holder = None

    def give_up(self) -> list[Event]:
        """Give up all messages that are sent and not acknowledged; call it when the peer does not come back."""
        keys = [key for lane in self.lanes for key in lane.give_up()]
        return [MayHaveArrived(keys)] if keys else []

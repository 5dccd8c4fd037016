"""Receiving of one class on one connection: the order of messages, their parts, and the credit of the peer."""

from __future__ import annotations

from collections.abc import Sequence

from cells.drivers.direct import errors
from cells.drivers.direct.frames import Credit, MessageClass, Messages, Part
from cells.drivers.direct.hello import Window
from cells.drivers.direct.stream import Lane
from cells.drivers.direct.unfinished import Unfinished


class Incoming:
    """The messages of one class from the peer."""

    def __init__(
        self,
        message_class: MessageClass,
        lane: Lane,
        window: Window,
        max_message_bytes: int,
        unfinished: Unfinished | None = None,
    ) -> None:
        """:param unfinished: the parts of all connections with the cell of the peer; None: of this class alone"""
        self.message_class = message_class
        self._lane = lane
        self._window = window
        self._max_message_bytes = max_message_bytes
        self._unfinished = unfinished or Unfinished(max_message_bytes)
        #: what the peer may send
        self._messages = window.messages
        self._bytes = window.bytes
        #: what the driver has returned, and the peer does not know yet
        self._released_messages = 0
        self._released_bytes = 0
        #: the parts of a message that is not complete, its length and its number
        self._parts = bytearray()
        self._total = 0
        self._number = 0
        self.is_stopped = False

    def stop(self) -> None:
        """Ignore messages from now on: this side has said goodbye to the class."""
        self.is_stopped = True
        self._forget_parts()

    def _forget_parts(self) -> None:
        self._unfinished.give_back(len(self._parts))
        self._parts, self._total = bytearray(), 0

    def take(self, messages: Messages) -> tuple[Sequence[bytes], int]:
        """Return the charge of the messages, and those that were not taken before.

        :raises ProtocolViolation: the peer exceeds its credit, leaves out a number, or has begun a longer message
        """
        if self._total:
            raise errors.ProtocolViolation("The peer sent a message between the parts of another.")
        payloads = messages.payloads
        charges = list(map(len, payloads))
        if max(charges) > self._window.bytes:
            charges = list(map(self._window.charge, charges))
        self._consume(len(payloads), sum(charges))
        known = self._known(messages.first)
        if known:
            self.release(len(payloads[:known]), sum(charges[:known]))
            payloads = payloads[known:]
        self._lane.taken += len(payloads)
        return payloads, sum(charges[known:])

    def take_part(self, part: Part) -> tuple[bytes, int] | None:
        """Return the message and its charge if ``part`` completes one that was not taken before.

        :raises ProtocolViolation: the peer exceeds its credit or a limit, or the part does not continue the last one
        """
        known = self._known(part.number)
        if not self._total:
            if not part.total or part.total > self._max_message_bytes:
                raise errors.ProtocolViolation(
                    f"The peer began a message of {part.total} bytes; this side takes {self._max_message_bytes}."
                )
            self._consume(1, self._window.charge(part.total))
            self._total, self._number = part.total, part.number
        received = len(self._parts)
        expected = (self._number, self._total, received)
        if (part.number, part.total, part.offset) != expected or not 0 < len(part.piece) <= self._total - received:
            raise errors.ProtocolViolation("The peer sent a part that does not continue its message.")
        self._unfinished.take(len(part.piece))
        self._parts += part.piece
        if len(self._parts) < self._total:
            return None
        payload, charge = bytes(self._parts), self._window.charge(self._total)
        self._forget_parts()
        if known:
            self.release(1, charge)
            return None
        self._lane.taken += 1
        return payload, charge

    def _consume(self, messages: int, charge: int) -> None:
        self._messages -= messages
        self._bytes -= charge
        if self._messages < 0 or self._bytes < 0:
            raise errors.ProtocolViolation(
                f"The peer sent more messages of the class {self.message_class.name} than it has credit for."
            )

    def _known(self, first: int) -> int:
        """Return how many messages from number ``first`` on were taken already."""
        known = self._lane.taken + 1 - first
        if known < 0:
            raise errors.ProtocolViolation(f"The peer sent message {first} after message {self._lane.taken}.")
        return known

    def release(self, messages: int, charge: int) -> None:
        """Return credit that messages took.

        :raises ValueError: more than they took
        """
        self._released_messages += messages
        self._released_bytes += charge
        if (
            self._messages + self._released_messages > self._window.messages
            or self._bytes + self._released_bytes > self._window.bytes
        ):
            raise ValueError("More credit was returned than messages took.")

    @property
    def is_urgent(self) -> bool:
        """Whether credit should be returned at once: it is much, or the peer has little left."""
        return bool(self._released_messages) and (
            self._released_messages * 4 >= self._window.messages
            or self._released_bytes * 4 >= self._window.bytes
            or self._messages * 4 <= self._window.messages
            or self._bytes * 4 <= self._window.bytes
        )

    def credit(self) -> Credit | None:
        """Return the returned credit, which the peer gets now; None: there is none."""
        messages, charge = self._released_messages, self._released_bytes
        if not messages and not charge:
            return None
        self._messages += messages
        self._bytes += charge
        self._released_messages = self._released_bytes = 0
        return Credit(self.message_class, messages, charge)

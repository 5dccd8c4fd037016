"""Sending of one class on one connection: the messages that wait, the credit, and the frames."""

from __future__ import annotations

from collections import deque

from cells.drivers.direct import errors
from cells.drivers.direct.events import Key
from cells.drivers.direct.frames import (
    ENTRY_BYTES,
    MAX_AGE,
    MAX_ENTRIES,
    MESSAGES_HEAD_BYTES,
    PART_HEAD_BYTES,
    Credit,
    MessageClass,
    Messages,
    Part,
)
from cells.drivers.direct.hello import Window
from cells.drivers.direct.stream import Lane

#: Payload, key, when the driver handed the message over, and whether it is urgent.  A named tuple takes four times as
#: long to create.
_Waiting = tuple[bytes, Key, float, bool]


class Outgoing:
    """The messages of one class for the peer."""

    def __init__(
        self, message_class: MessageClass, lane: Lane, window: Window, max_frame_bytes: int, queue: Window
    ) -> None:
        """:param window: the credit that the peer grants at first
        :param max_frame_bytes: the longest frame that the peer takes
        :param queue: the most messages that wait, or are sent and not acknowledged
        """
        self._message_class = message_class
        self._lane = lane
        self._window = window
        self._queue = queue
        self.credit_messages = window.messages
        self.credit_bytes = window.bytes
        self._room = max_frame_bytes - MESSAGES_HEAD_BYTES
        self._piece_bytes = max_frame_bytes - PART_HEAD_BYTES
        #: messages without a number; the urgent ones precede the others
        self.waiting: deque[_Waiting] = deque()
        self._urgent = 0
        self._waiting_bytes = 0
        #: the first waiting message is sent in parts; bytes of it that are sent
        self._offset = 0
        #: whether the peer takes no more messages of this class
        self.is_stopped = False

    def put(self, payload: bytes, key: Key, now: float, *, is_urgent: bool = False) -> bool:
        """Add a message; return False if there is no room, or if the peer takes no more of this class.

        :param is_urgent: whether it passes the messages that wait and are not
        """
        waiting, lane, size = self.waiting, self._lane, len(payload)
        used = len(waiting) + lane.unacknowledged
        if used and (
            used >= self._queue.messages or self._waiting_bytes + lane.unacknowledged_bytes + size > self._queue.bytes
        ):
            return False
        if self.is_stopped:
            return False
        if is_urgent:
            # A message whose first part is sent stays the first one.
            position = self._urgent + bool(self._offset and not waiting[0][3])
            waiting.insert(position, (payload, key, now, True))
            self._urgent += 1
        else:
            waiting.append((payload, key, now, False))
        self._waiting_bytes += size
        return True

    @property
    def load(self) -> int:
        """The messages that wait, and those that the peer has not passed on, as far as its credit tells."""
        return len(self.waiting) + self._window.messages - self.credit_messages

    def grant(self, credit: Credit) -> None:
        """Take credit of the peer.

        :raises ProtocolViolation: the peer grants more than its window
        """
        self.credit_messages += credit.messages
        self.credit_bytes += credit.size_bytes
        if self.credit_messages > self._window.messages or self.credit_bytes > self._window.bytes:
            raise errors.ProtocolViolation("The peer returned more credit than was used.")

    def stop(self) -> list[Key]:
        """Take no more messages; remove those that wait, also one whose parts are not all sent, and return them."""
        self.is_stopped = True
        keys = [key for _, key, _, _ in self.waiting]
        self.waiting.clear()
        self._waiting_bytes = self._offset = self._urgent = 0
        return keys

    def next_frame(self, clock: int, now: float) -> bytes | None:
        """Return the next frame; None if the credit is used up.  A message waits.

        :param clock: microseconds of the link clock
        """
        if self._offset:
            return self._next_part(clock, now)
        waiting, window = self.waiting, self._window.bytes
        room, credit = self._room, self.credit_bytes
        most = min(self.credit_messages, MAX_ENTRIES)
        payloads: list[bytes] = []
        keys: list[Key] = []
        ages: list[int] = []
        while waiting and len(payloads) < most:
            payload, key, since, is_urgent = waiting[0]
            size = len(payload)
            room -= size + ENTRY_BYTES
            charge = size if size < window else window
            if room < 0 or charge > credit:
                break
            credit -= charge
            waiting.popleft()
            self._urgent -= is_urgent
            payloads.append(payload)
            keys.append(key)
            ages.append(int((now - since) * 1e6))
        if not payloads:
            return self._first_part(clock, now)
        if ages[0] > MAX_AGE:
            ages = [min(age, MAX_AGE) for age in ages]
        self.credit_messages -= len(payloads)
        self.credit_bytes = credit
        sizes = list(map(len, payloads))
        self._waiting_bytes -= sum(sizes)
        number = self._lane.send(keys, sizes)
        return Messages(self._message_class, number, clock, ages, payloads).encode()

    def _first_part(self, clock: int, now: float) -> bytes | None:
        size = len(self.waiting[0][0])
        charge = self._window.charge(size)
        if size + ENTRY_BYTES <= self._room or not self.credit_messages or charge > self.credit_bytes:
            return None
        # The credit for all parts: a message that has begun never waits for credit.
        self.credit_messages -= 1
        self.credit_bytes -= charge
        return self._next_part(clock, now)

    def _next_part(self, clock: int, now: float) -> bytes:
        payload, key, since, is_urgent = self.waiting[0]
        total, offset, number = len(payload), self._offset, self._lane.sent + 1
        age = min(int((now - since) * 1e6), MAX_AGE)
        self._offset += self._piece_bytes
        if self._offset >= total:
            # Only now can the peer take it.
            self._offset = 0
            self.waiting.popleft()
            self._urgent -= is_urgent
            self._waiting_bytes -= total
            self._lane.send([key], [total])
        piece = payload[offset : offset + self._piece_bytes]
        return Part(self._message_class, number, clock, age, total, offset, piece).encode()

"""The protocol of one connection: bytes and times come in, bytes and events go out.

The driver owns the socket.  It passes received bytes to :meth:`Session.receive`, writes those of
:meth:`Session.bytes_to_send` after each call of another method, and calls :meth:`Session.tick` at
:meth:`Session.next_deadline`.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable

from cells import exceptions
from cells.drivers.direct import errors, frames
from cells.drivers.direct.events import Connected, Ended, Event, Key, NotSent, Received
from cells.drivers.direct.frames import (
    Ack,
    Credit,
    Frame,
    Goodbye,
    Heartbeat,
    Marks,
    MessageClass,
    Messages,
    Part,
    Welcome,
)
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.incoming import Incoming
from cells.drivers.direct.link_clock import LinkClock, microseconds
from cells.drivers.direct.outgoing import Outgoing
from cells.drivers.direct.reports import Reports
from cells.drivers.direct.session_settings import SessionSettings
from cells.drivers.direct.stream import Stream

#: A peer of which no frame has arrived for so many of its heartbeats is dead.
MISSED_HEARTBEATS = 3

#: Returns the stream to the manager that a hello names; raises a CellsError if this side does not talk to it.
FindStream = Callable[[Hello], Stream]


class State(enum.Enum):
    """How far a connection is."""

    GREETING = enum.auto()  #: the hello of the peer is missing
    ANSWERING = enum.auto()  #: the answer of the peer to the hello of this side is missing
    OPEN = enum.auto()
    LEAVING = enum.auto()  #: this side has said goodbye and waits for the goodbye of the peer
    ENDED = enum.auto()


#: Read for each frame; as attributes of an enum, they take ten times as long.
_GREETING, _ANSWERING, _OPEN, _LEAVING, _ENDED = State


class Session:
    """One connection.  Not thread-safe: one thread at a time uses all sessions of one stream."""

    def __init__(
        self,
        own: Hello,
        find_stream: FindStream,
        clock: Callable[[], float],
        *,
        dialed: bool,
        settings: SessionSettings | None = None,
    ) -> None:
        """:param dialed: whether this side has opened the connection
        :param clock: seconds, never decreasing, from 0 on
        """
        self.dialed = dialed
        self.state = _GREETING
        #: the peer; None until its hello has arrived
        self.peer: Hello | None = None
        #: why the session has ended
        self.error: errors.ConnectionEnded | None = None
        self._own = own
        self._find_stream = find_stream
        self._clock = clock
        self._settings = settings or SessionSettings()
        self._link_clock = LinkClock(clock)
        self._decoder = frames.Decoder(own.max_frame_bytes)
        #: frames that precede all others: hello, its answer, goodbyes
        self._first_frames = [own.encode()]
        self._stream: Stream | None = None
        self._incoming: tuple[Incoming, ...] = ()
        self._outgoing: tuple[Outgoing, ...] = ()
        #: the same; the first one sends the first frame
        self._turns: deque[Outgoing] = deque()
        self._dies_at = clock() + self._settings.hello_seconds
        self._heartbeat_at = math.inf
        self._reports = Reports(clock, self._settings.ack_seconds)
        #: whether ``Ended`` has been returned
        self._is_over = False

    @property
    def round_trip(self) -> float | None:
        """Seconds of the last round trip, from heartbeats; None if there was none."""
        return self._link_clock.round_trip

    @property
    def stream(self) -> Stream | None:
        """The stream to the peer; None until its hello has arrived."""
        return self._stream

    def next_deadline(self, *, can_write: bool = True) -> float:
        """Return when :meth:`tick` and :meth:`bytes_to_send` have something to do, in seconds of the clock.

        :param can_write: False while the socket takes no bytes
        """
        if self.state is _ENDED:
            return math.inf if self._is_over else -math.inf
        if self.state is _OPEN and can_write:
            return min(self._dies_at, self._heartbeat_at, self._reports.due_at)
        return self._dies_at

    def has_frames(self, now: float) -> bool:
        """Return whether :meth:`bytes_to_send` may return frames at a time of the clock."""
        if self.state is not _OPEN or self._first_frames or now >= self.next_deadline():
            return True
        return bool([outgoing for outgoing in self._outgoing if outgoing.waiting])

    def send(self, message_class: MessageClass, payload: bytes, key: Key, *, is_urgent: bool = False) -> bool:
        """Queue a message; return False if the session is not open, the queue is full, or the peer takes no more.

        Each message that is queued ends once: as ``Acknowledged``, ``NotSent`` or ``MayHaveArrived``.

        :param is_urgent: whether it passes the messages of its class that wait and are not
        :raises cells.exceptions.MessageTooLarge: the peer takes no message of this size
        """
        if self.state is not _OPEN or self.peer is None:
            return False
        if len(payload) > self.peer.max_message_bytes:
            raise exceptions.MessageTooLarge(
                f"Cell {self.peer.cell} takes messages of {self.peer.max_message_bytes} bytes; this one has "
                f"{len(payload)}.",
                cell=self.peer.cell,
                size_bytes=len(payload),
                limit_bytes=self.peer.max_message_bytes,
            )
        return self._outgoing[message_class].put(payload, key, self._clock(), is_urgent=is_urgent)

    def takes(self, message_class: MessageClass) -> bool:
        """Return whether the peer takes messages of a class: it has not said goodbye to them."""
        return self.state is _OPEN and not self._outgoing[message_class].is_stopped

    def load(self, message_class: MessageClass) -> int:
        """Return how many messages wait here, or are sent and their credit is not returned."""
        return self._outgoing[message_class].load if self._outgoing else 0

    def credit(self, message_class: MessageClass) -> tuple[int, int]:
        """Return how many messages, and how many bytes, the peer takes at present."""
        found = self._outgoing[message_class] if self._outgoing else None
        return (0, 0) if found is None else (found.credit_messages, found.credit_bytes)

    def release(self, message_class: MessageClass, messages: int, charge: int) -> None:
        """Return credit for messages that the driver has passed on.

        :raises ValueError: more credit than the messages took
        """
        if self.state is _OPEN:
            self._incoming[message_class].release(messages, charge)
            self._reports.want(self._incoming[message_class])

    def acknowledge_soon(self) -> None:
        """Acknowledge the messages that have come: their senders wait until they are taken."""
        self._reports.want_soon()

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the peer, in any pieces.

        The driver processes the events before it calls :meth:`bytes_to_send`, which acknowledges the messages.
        """
        if self.state is _ENDED:
            return self._last_event()
        events: list[Event] = []
        try:
            for kind, body in self._decoder.feed(data):
                self._take(kind, body, events)
                if self.error is not None:
                    break
        except errors.ConnectionEnded as error:
            events += self._say_and_end(error)
        return events

    def tick(self) -> list[Event]:
        """End the session if the peer is silent for too long."""
        if self.state is _ENDED:
            return self._last_event()
        if self._clock() < self._dies_at:
            return []
        if self.peer is None or self.state is _ANSWERING:
            text = f"The peer did not answer within {self._settings.hello_seconds:g} s."
            return self._say_and_end(errors.HelloTimeout(text))
        return self._say_and_end(
            errors.PeerSilent(
                f"Cell {self.peer.cell}: nothing has arrived from {self.peer.host} for {MISSED_HEARTBEATS} heartbeats "
                f"of {self.peer.heartbeat:g} s.",
                cell=self.peer.cell,
            )
        )

    def bytes_to_send(self, limit: int = 256 * 1024) -> bytes:
        """Return frames to write; the frame that reaches ``limit`` is the last.  Empty: there is nothing to write."""
        first, self._first_frames = self._first_frames, []
        if self.state is not _OPEN:
            return b"".join(first)
        now = self._clock()
        clock = microseconds(now)
        out: list[bytes] = []
        if now >= self._heartbeat_at:
            out.append(self._link_clock.heartbeat().encode())
            self._heartbeat_at = now + self._own.heartbeat
        size, before = sum(map(len, first)), -1
        # One frame of each class in turn, so that other messages pass the parts of a long one.
        while before < size < limit:
            before = size
            for outgoing in self._turns:
                frame = outgoing.next_frame(clock, now) if outgoing.waiting and size < limit else None
                if frame is not None:
                    size += len(frame)
                    out.append(frame)
        self._turns.rotate(-1)
        if self._reports.are_due(now, alone=not out):
            first += self._reports.frames(self._marks, self._incoming)
        return b"".join((*first, *out))

    def stop_taking(self, classes: frozenset[MessageClass]) -> None:
        """Take no more messages of these classes; the peer sends them elsewhere."""
        if self.state is _OPEN:
            for message_class in classes:
                self._incoming[message_class].stop()
            self._first_frames.append(Goodbye(classes, self._marks, "").encode())

    def leave(self, reason: str) -> list[Event]:
        """Take and send no more messages, and end when the peer has said goodbye, too."""
        if self.state in (_LEAVING, _ENDED):
            return self._last_event()
        if self.state is not _OPEN:
            return self._say_and_end(errors.NotNeeded(f"This side leaves: {reason}."))
        self._say_goodbye(reason)
        self.state = _LEAVING
        return self._stop()

    def lost(self, reason: str) -> list[Event]:
        """End the session because its connection is gone."""
        if self.state is _ENDED:
            return self._last_event()
        return self._end(errors.ConnectionLost(f"The connection is lost: {reason}."))

    def replace(self) -> list[Event]:
        """End the session because another one takes over; its ``Ended`` is returned by :meth:`tick`."""
        events = self._stop()
        self.error = errors.NotNeeded("Another connection to the same manager takes over.")
        self.state = _ENDED
        return events

    def _take(self, kind: int, body: bytes, events: list[Event]) -> None:
        if kind == frames.HELLO:
            self._greet(Hello.decode(body))
            return
        frame = frames.decode(kind, body)
        if isinstance(frame, Goodbye):
            events += self._hear_goodbye(frame)
        elif self.state is _ANSWERING and isinstance(frame, Welcome):
            events += self._open(frame)
        elif self.state in (_OPEN, _LEAVING) and self.peer is not None:
            self._dies_at = self._clock() + MISSED_HEARTBEATS * self.peer.heartbeat
            self._exchange(frame, events)
        else:
            raise errors.ProtocolViolation(f"The peer sent a frame of type {kind} before its turn.")

    def _greet(self, hello: Hello) -> None:
        if self.state is not _GREETING:
            raise errors.ProtocolViolation("The peer sent a second hello.")
        if hello.incarnation == self._own.incarnation:
            raise errors.PeerRefused("The peer is this manager itself: a wrong address.")
        try:
            self._stream = self._find_stream(hello)
        except exceptions.CellsError as error:
            raise errors.PeerRefused(error.message, cell=hello.cell) from error
        self.peer = hello
        self.state = _ANSWERING
        if self.dialed:
            self._first_frames.append(self._stream.offer(self, self._link_clock.now()).encode())

    def _open(self, welcome: Welcome) -> list[Event]:
        stream, peer = self._stream, self.peer
        if stream is None or peer is None:
            raise errors.ProtocolViolation("The peer answered before its hello.")
        if self.dialed:
            events = stream.resume(welcome)
        else:
            answer, events = stream.accept(self, welcome, self._link_clock.now())
            self._first_frames.append(answer.encode())
        unfinished = self._settings.unfinished
        self._incoming = tuple(
            Incoming(message_class, stream.lanes[message_class], window, self._own.max_message_bytes, unfinished)
            for message_class, window in zip(MessageClass, self._own.credit.in_order, strict=True)
        )
        self._outgoing = tuple(
            Outgoing(message_class, stream.lanes[message_class], window, peer.max_frame_bytes, queue)
            for message_class, window, queue in zip(
                MessageClass, peer.credit.in_order, self._settings.queues.in_order, strict=True
            )
        )
        self._turns = deque(self._outgoing)
        self.state = _OPEN
        self._heartbeat_at = self._clock()
        self._dies_at = self._heartbeat_at + MISSED_HEARTBEATS * peer.heartbeat
        return [*events, Connected(peer)]

    def _exchange(self, frame: Frame, events: list[Event]) -> None:
        if isinstance(frame, (Messages, Part)):
            incoming = self._incoming[frame.message_class]
            if self.state is _OPEN and not incoming.is_stopped:
                events += self._receive(incoming, frame)
        elif isinstance(frame, Ack) and self._stream is not None:
            events += self._stream.acknowledge(frame.marks)
        elif isinstance(frame, Credit):
            self._outgoing[frame.message_class].grant(frame)
        elif isinstance(frame, Heartbeat):
            self._link_clock.hear(frame)
        else:
            raise errors.ProtocolViolation("The peer answered the hello twice.")

    def _receive(self, incoming: Incoming, frame: Messages | Part) -> list[Event]:
        transit = self._link_clock.transit(frame.clock)
        if isinstance(frame, Messages):
            payloads, charge = incoming.take(frame)
            ages = [transit + age / 1e6 for age in frame.ages[len(frame.ages) - len(payloads) :]]
        else:
            whole = incoming.take_part(frame)
            payloads, charge = ([whole[0]], whole[1]) if whole is not None else ([], 0)
            ages = [transit + frame.age / 1e6]
        self._reports.want(incoming)
        return [Received(frame.message_class, payloads, ages, charge)] if payloads else []

    @property
    def _marks(self) -> Marks:
        return (0, 0, 0) if self._stream is None else self._stream.marks

    def _hear_goodbye(self, goodbye: Goodbye) -> list[Event]:
        """Take the goodbye of the peer, to some classes or to all."""
        if self.state not in (_OPEN, _LEAVING) or self._stream is None:
            return self._end(errors.PeerLeft.saying(goodbye.reason))
        events = self._stream.settle(goodbye.classes, goodbye.marks)
        for message_class in sorted(goodbye.classes):
            events += self._stop_class(message_class)
        if goodbye.classes != frames.ALL_CLASSES:
            return events
        if self.state is _OPEN:
            self._say_goodbye("")
        return events + self._end(errors.PeerLeft.saying(goodbye.reason))

    def _stop_class(self, message_class: MessageClass) -> list[Event]:
        keys = self._outgoing[message_class].stop()
        return [NotSent(message_class, keys)] if keys else []

    def _stop(self) -> list[Event]:
        """Take and send no more messages."""
        for incoming in self._incoming:
            incoming.stop()
        return [event for message_class in MessageClass if self._outgoing for event in self._stop_class(message_class)]

    def _say_goodbye(self, reason: str) -> None:
        self._first_frames.append(Goodbye(frames.ALL_CLASSES, self._marks, reason).encode())

    def _say_and_end(self, error: errors.ConnectionEnded) -> list[Event]:
        if self.state is not _LEAVING:
            self._say_goodbye(error.message)
        return self._end(error)

    def _end(self, error: errors.ConnectionEnded) -> list[Event]:
        events = self._stop()
        if self._stream is not None:
            self._stream.release(self)
        self.error = error
        self.state = _ENDED
        return [*events, *self._last_event()]

    def _last_event(self) -> list[Event]:
        if self._is_over or self.error is None:
            return []
        self._is_over = True
        return [Ended(self.error)]

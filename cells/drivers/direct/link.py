"""DirectLink: one neighbor, all connections to its managers, and the messages for it.

A thread that sends a message puts it into an inbox.  If no other thread has the lock, it takes the inbox, encrypts and
writes; else the thread that has the lock does.  So a sender never waits for another one, and messages of many threads
share a frame.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cells import exceptions
from cells.drivers.base import LinkState
from cells.drivers.direct import errors
from cells.drivers.direct.availability import Availability, fresh, is_unsent
from cells.drivers.direct.connection import Connection
from cells.drivers.direct.events import Connected, Ended, Event, Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello, Window, Windows
from cells.drivers.direct.loop import Alarm, Loop
from cells.drivers.direct.managers import Managers
from cells.drivers.direct.message import Message
from cells.drivers.direct.outbox import Outbox
from cells.drivers.direct.placing import Placing
from cells.drivers.direct.session import Session, State
from cells.drivers.direct.session_settings import SessionSettings
from cells.drivers.direct.shared import Shared
from cells.drivers.direct.stream import Stream
from cells.drivers.direct.trust import Trust
from cells.drivers.direct.unfinished import Unfinished
from cells.drivers.direct.waiters import Waiters

#: Connections to one neighbor, also those that are not open yet.
_MAX_CONNECTIONS = 128
#: Messages of the inbox that are placed before their connections write.
_BATCH = 256
#: How often a sender takes the inbox that other senders have filled meanwhile.
_ROUNDS = 20
#: A session refuses no message because of its number or length: the outbox bounds them.
_UNBOUNDED = Windows(*[Window(messages=2**31, bytes=2**40)] * 3)


class DirectLink:
    """Thread-safe."""

    def __init__(self, name: str, loop: Loop, shared: Shared) -> None:
        own, settings, runtime = shared.own, shared.settings, shared.runtime
        self.name = name
        self._own, self._settings = own, settings
        unfinished = Unfinished(own.max_message_bytes)
        self._session_settings = SessionSettings(_UNBOUNDED, ack_seconds=settings.ack_seconds, unfinished=unfinished)
        self._runtime, self._clock = runtime, runtime.clock
        self._loop = loop
        self._receivers = shared.receivers
        self._on_opened = shared.on_opened
        self._on_ended = shared.on_ended
        self._is_dialing = shared.is_dialing
        #: why the last attempt to connect has failed; empty: it has not
        self._problem = ""
        self._alarm = Alarm(loop, self._ring)
        self._lock = threading.Lock()
        self._inbox: deque[Message] = deque()
        self._outbox = Outbox(name, settings.queues)
        self._managers = Managers(name, own.incarnation)
        #: all connections that have not ended
        self._connections: dict[Connection, None] = {}
        #: whether messages that wait may find a connection now
        self._has_news = False
        self._stopped_classes: frozenset[MessageClass] = frozenset()
        #: why the link takes no messages and connections; None: it does
        self._closed: exceptions.CellsError | None = None
        self._availability = Availability(name, settings.reconnect_seconds, runtime, shared.on_state)
        pass_on = partial(shared.pass_on, name, self._take_outcomes)
        self._placing = Placing(self._managers, self._outbox, self._availability, pass_on, self._clock)
        #: the connections that may have something to write
        self._dirty = self._placing.dirty
        self._waiters = Waiters()
        self._alarm.set(self._availability.down_at)

    def send(self, messages: Iterable[Message]) -> None:
        """Send messages.  Never blocks and never raises; the outcome of each is reported to its ``on_done``."""
        self._inbox.extend(messages)
        self._serve()

    def wait_for_room(self, until: float) -> bool:
        """Wait until there is room for many requests; return whether there is.

        :param until: seconds of the clock
        """
        if not self._has_room:
            seconds = max(0.0, until - self._clock())
            self._waiters.wait(lambda: self._has_room or not self._connections, seconds)
        return self._has_room

    @property
    def _has_room(self) -> bool:
        return not self._outbox.is_crowded and len(self._inbox) < _BATCH

    def stop_taking(self, classes: frozenset[MessageClass]) -> None:
        """Receive no more messages of these classes."""
        with self._turn():
            self._stopped_classes |= classes
            for connection in self._connections:
                if connection.session is not None and connection.session.state is State.OPEN:
                    connection.session.stop_taking(classes)
                    self._dirty[connection] = None

    @property
    def is_idle(self) -> bool:
        """Return whether the fate of all messages is known, or the neighbor is not connected."""
        return not self._inbox and (not self._outbox or self._availability.state is not LinkState.CONNECTED)

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Wait until the link is idle."""
        self._waiters.wait(lambda: self.is_idle, timeout_seconds)

    def close(self, reason: exceptions.CellsError) -> None:
        """Take no more messages and connections; say goodbye to the managers.  May be called twice."""
        with self._turn():
            self._closed = self._closed or reason
            for connection in list(self._connections):
                if connection.session is not None:
                    self._process(connection, connection.session.leave(reason.message))
                    self._dirty[connection] = None

    def wait_until_closed(self, timeout_seconds: float) -> None:
        """Wait until all managers have answered the goodbye; then give up all messages."""
        self._waiters.wait(lambda: not self._connections, timeout_seconds)
        with self._turn():
            for connection in list(self._connections):
                if connection.session is not None:
                    self._process(connection, connection.session.lost("this side stops"))
            self._settle_fate(self._managers.expire(math.inf))
            self._give_up(waiting_only=False)

    def check(self, trust: Trust, connection: Connection | None = None) -> None:
        """End the connections whose certificates ``trust`` does not know any more.

        :param connection: the only one to check; None: all
        """
        with self._turn():
            for one in list(self._connections) if connection is None else [connection]:
                if one in self._connections and one.trust is not trust:
                    self._process(one, one.check(trust))

    def reach_through(self, siblings: tuple[str, ...]) -> None:
        """Take note of the other managers of this cell that have a connection to the neighbor."""
        if siblings != self._availability.through:
            with self._turn():
                self._availability.reach_through(siblings)
                self._alarm.set(self._availability.down_at)
                self._has_news = True

    def _take_outcomes(self, outcomes: Sequence[tuple[Message, exceptions.CellsError | None]]) -> None:
        """Take the outcomes of messages that were passed to a sibling."""
        with self._turn():
            may_wait = self._closed is None and self._availability.state is not LinkState.DOWN
            unsent = [message for message, error in outcomes if may_wait and is_unsent(error)]
            if unsent:
                self._outbox.take_back(unsent)
                self._has_news = True
            for message, error in outcomes:
                if not (may_wait and is_unsent(error)):
                    self._outbox.finish(message, error)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The managers with a connection."""
        with self._turn():
            return tuple(manager.host for manager in self._managers)

    def leads_to(self, incarnation: str) -> bool:
        """Return whether a manager has a connection."""
        return self._managers.connected(incarnation)

    def note_problem(self, problem: str) -> None:
        """Take note of an attempt to connect that has failed."""
        self._problem = problem

    def status(self) -> dict[str, Any]:
        """Return the state in plain values, as :meth:`~cells.drivers.direct.node.Node.status` describes."""
        with self._turn():
            oldest_at = self._outbox.oldest_at
            return {
                "state": self._availability.state.value,
                "since": self._availability.since,
                "problem": self._problem,
                "managers": self._managers.status(),
                "through": list(self._availability.through),
                "queue": self._outbox.usage(),
                "oldest_seconds": 0.0 if oldest_at is None else max(0.0, self._clock() - oldest_at),
            }

    def attach(self, connection: Connection) -> None:
        """Begin the session of a connection whose peer has the certificate of this neighbor.

        :raises PeerRefused: the link is closed, or has too many connections
        """
        with self._turn():
            if self._closed is not None or len(self._connections) >= _MAX_CONNECTIONS:
                text = f"Cell {self.name} has too many connections." if self._closed is None else self._closed.message
                raise errors.PeerRefused(text, cell=self.name)
            connection.session = Session(
                self._own,
                self._find_stream,
                self._clock,
                dialed=connection.is_dialed,
                settings=replace(self._session_settings, hello_seconds=max(0.0, connection.deadline - self._clock())),
            )
            self._connections[connection] = None

    def opened(self, connection: Connection, pieces: list[bytes]) -> None:
        """Begin the exchange: as :class:`~cells.drivers.direct.connection.Link` describes."""
        with self._turn():
            self._process(connection, connection.read(pieces))
        self._receivers.serve(connection.loop)

    def received(self, connection: Connection, data: bytes, problem: str) -> None:
        """Process bytes of the socket."""
        with self._lock:
            if connection in self._connections:
                self._process(connection, connection.take(data, problem), writes_later=True)
                self._settle_one(connection)
        self._serve()
        self._receivers.serve(connection.loop)

    def writable(self, connection: Connection) -> None:
        """Continue to write."""
        with self._turn():
            connection.unblock()
            if connection in self._connections:
                self._dirty[connection] = None

    def tick(self, connection: Connection) -> None:
        """Do the work that is due."""
        with self._turn():
            if connection in self._connections and connection.session is not None:
                self._process(connection, connection.session.tick())

    def release(self, connection: Connection, received: Received) -> None:
        """Return the credit of messages that were handed on."""
        with self._lock:
            if connection in self._connections and connection.session is not None:
                connection.session.release(received.message_class, len(received.payloads), received.charge)
                self._settle_one(connection)
        self._serve()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock, then settle, and serve the threads that have left messages in the inbox meanwhile."""
        try:
            with self._lock:
                yield
                self._settle()
        finally:
            self._serve()

    def _serve(self) -> None:
        """Place the messages of the inbox unless another thread does; report outcomes.  Without the lock."""
        rounds = 0
        while self._inbox and self._lock.acquire(blocking=False):
            try:
                self._take_inbox()
                self._settle()
            finally:
                self._lock.release()
            rounds += 1
            if rounds >= _ROUNDS and self._inbox:
                # Other threads send without end; this one has done its share.
                self._loop.call(self._serve)
                break
        self._outbox.report()
        self._waiters.notify()

    # From here on, the caller holds the lock.

    def _take_inbox(self) -> None:
        inbox, outbox, now = self._inbox, self._outbox, self._clock()
        for _ in range(min(len(inbox), _BATCH)):
            message = inbox.popleft()
            message.accepted_at = now
            problem = self._availability.refusal(message) if self._closed is None else fresh(self._closed)
            if problem is not None:
                outbox.refuse(message, problem)
            elif outbox.add(message):
                self._placing.place(message)
        self._alarm.set(outbox.expires_at)

    def _settle(self) -> None:
        """Write, and process all that follows from it."""
        while self._dirty or self._has_news:
            if self._has_news:
                self._has_news = False
                for message in self._outbox.take_waiting():
                    self._placing.place(message)
            while self._dirty:
                connection, _ = self._dirty.popitem()
                if connection in self._connections:
                    self._process(connection, connection.flush(), writes_later=True)
                    if connection in self._connections:
                        connection.alarm.set(connection.next_deadline())

    def _settle_one(self, connection: Connection) -> None:
        """Settle after an exchange on one connection, which may have nothing to write."""
        if connection.has_frames(self._clock()):
            self._dirty[connection] = None
        else:
            connection.alarm.set(connection.next_deadline())
        self._settle()

    def _process(self, connection: Connection, events: list[Event], *, writes_later: bool = False) -> None:
        for event in events:
            if isinstance(event, Received):
                self._receivers.put(self, connection, event)
            elif isinstance(event, Connected):
                self._open(connection, event.hello)
            elif isinstance(event, Ended):
                self._end(connection, event.error)
            else:  # a message that was not sent may find another connection
                self._has_news |= self._outbox.settle(event, self._availability.unknown_fate)
        if not writes_later and connection in self._connections:
            self._dirty[connection] = None

    def _settle_fate(self, events: Iterable[Event]) -> None:
        for event in events:
            self._has_news |= self._outbox.settle(event, self._availability.unknown_fate)

    def _find_stream(self, hello: Hello) -> Stream:
        return self._managers.find(hello, self._clock())

    def _open(self, connection: Connection, hello: Hello) -> None:
        session = connection.session
        if session is None or not self._managers.knows(hello.incarnation, session.stream):
            self._process(connection, [] if session is None else session.lost("its greeting took too long"))
            return
        connection.since = self._runtime.wall_clock()
        self._problem = ""
        self._availability.connect(is_connected=True)
        self._settle_fate(self._managers.open(connection, hello))
        for other in list(self._connections):
            # The new connection may replace an older one to the same manager.
            if other.session is not None and other.session.state is State.ENDED:
                self._process(other, other.session.tick())
        if self._stopped_classes:
            session.stop_taking(self._stopped_classes)
        self._has_news = True
        self._on_opened(connection)

    def _end(self, connection: Connection, error: errors.ConnectionEnded) -> None:
        now = self._clock()
        self._connections.pop(connection, None)
        self._dirty.pop(connection, None)
        self._settle_fate(self._managers.close(connection, now))
        self._availability.connect(is_connected=self._managers.is_connected)
        self._has_news |= bool(self._availability.through)
        self._alarm.set(now + self._settings.reconnect_seconds)
        connection.finish()
        self._on_ended(self.name, connection, error)

    def _ring(self) -> None:
        """Do the work that is due, on the thread of the loop.  Takes the lock."""
        with self._lock:
            is_connecting = self._is_dialing(self.name) or any(one.is_opening for one in self._connections)
            grace = self._availability.grace_seconds(is_connecting=is_connecting)
            now, wait = self._clock(), self._settings.reconnect_seconds + grace
            if self._outbox.expires_at <= now:
                self._outbox.expire(now)
            self._settle_fate(self._managers.expire(now - wait))
            if self._availability.expire(now - grace):
                self._give_up(waiting_only=True)
            self._has_news = True
            self._settle()
            due = [self._outbox.expires_at, self._managers.lost_at + wait, self._availability.down_at + grace]
            self._alarm.set(min([*due, self._availability.started_at] if now < self._availability.started_at else due))
        self._serve()

    def _give_up(self, *, waiting_only: bool) -> None:
        def error(may_arrive: bool) -> exceptions.CellsError:
            if may_arrive:
                return self._availability.unknown_fate()
            return self._availability.down() if self._closed is None else fresh(self._closed)

        self._outbox.finish_all(error, waiting_only=waiting_only)

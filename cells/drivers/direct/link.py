"""DirectLink: one neighbor, all connections to its managers, and the messages for it.

A thread that sends a message puts it into an inbox.  If no other thread has the lock, it takes the inbox, encrypts and
writes; else the thread that has the lock does.  So a sender never waits for another one, and messages of many threads
share a frame.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.availability import Availability, LinkState, fresh
from cells.drivers.direct.connection import Connection
from cells.drivers.direct.events import Connected, Ended, Event, Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello, Window, Windows
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.loop import Alarm, Loop
from cells.drivers.direct.managers import Managers
from cells.drivers.direct.message import Message, copies
from cells.drivers.direct.outbox import Outbox
from cells.drivers.direct.receivers import Receivers
from cells.drivers.direct.session import Session, Settings, State
from cells.drivers.direct.stream import Stream
from cells.drivers.direct.trust import Trust
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Connections to one neighbor, also those that are not open yet.
_MAX_CONNECTIONS = 128
#: Messages of the inbox that are placed before their connections write.
_BATCH = 256
#: How often a sender takes the inbox that other senders have filled meanwhile.
_ROUNDS = 20
#: A session refuses no message because of its number or length: the outbox bounds them.
_UNBOUNDED = Windows(*[Window(messages=2**31, bytes=2**40)] * 3)


@dataclass(frozen=True)
class Shared:
    """What all links of one manager share."""

    own: Hello
    settings: LinkSettings
    runtime: Runtime
    receivers: Receivers
    #: called when the session of a connection has opened, and when it has ended; both run on any thread, under the lock
    #: of the link, and must not block
    on_opened: Callable[[Connection], None]
    on_ended: Callable[[DirectLink, Connection, errors.ConnectionEnded], None]


class DirectLink:
    """Thread-safe."""

    def __init__(self, name: str, loop: Loop, shared: Shared) -> None:
        own, settings, runtime = shared.own, shared.settings, shared.runtime
        self.name = name
        self._own = own
        self._settings = settings
        self._session_settings = Settings(queues=_UNBOUNDED, ack_seconds=settings.ack_seconds)
        self._runtime = runtime
        self._clock = runtime.clock
        self._loop = loop
        self._receivers = shared.receivers
        self._on_opened = shared.on_opened
        self._on_ended = shared.on_ended
        self._alarm = Alarm(loop, self._ring)
        self._lock = threading.Lock()
        self._inbox: deque[Message] = deque()
        self._outbox = Outbox(name, settings.queues)
        self._managers = Managers(name, own.incarnation)
        #: all connections that have not ended
        self._connections: dict[Connection, None] = {}
        #: those that may have something to write
        self._dirty: dict[Connection, None] = {}
        #: whether messages that wait may find a connection now
        self._has_news = False
        self._stopped_classes: frozenset[MessageClass] = frozenset()
        #: why the link takes no messages and connections; None: it does
        self._closed: exceptions.CellsError | None = None
        self._availability = Availability(name, settings.reconnect_seconds, runtime)
        self._went_idle = threading.Condition()
        self._alarm.set(self._availability.down_at)

    def send(self, message: Message) -> None:
        """Send a message.  Never blocks and never raises; the outcome is reported to its ``on_done``."""
        self._inbox.append(message)
        self._serve()

    def stop_taking(self, classes: frozenset[MessageClass]) -> None:
        """Receive no more messages of these classes."""
        with self._lock:
            self._stopped_classes |= classes
            for connection in self._connections:
                if connection.session is not None and connection.session.state is State.OPEN:
                    connection.session.stop_taking(classes)
                    self._dirty[connection] = None
            self._settle()
        self._serve()

    @property
    def is_idle(self) -> bool:
        """Return whether the fate of all messages is known, or the link has no connection."""
        return not self._inbox and (not self._outbox or not self._managers.is_connected)

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Wait until the link is idle."""
        with self._went_idle:
            self._went_idle.wait_for(lambda: self.is_idle, timeout_seconds)

    def close(self, reason: exceptions.CellsError) -> None:
        """Take no more messages and connections; say goodbye to the managers.  May be called twice."""
        with self._lock:
            self._closed = self._closed or reason
            for connection in list(self._connections):
                if connection.session is not None:
                    self._process(connection, connection.session.leave(reason.message))
                    self._dirty[connection] = None
            self._settle()
        self._serve()

    def wait_until_closed(self, timeout_seconds: float) -> None:
        """Wait until all managers have answered the goodbye; then give up all messages."""
        with self._went_idle:
            self._went_idle.wait_for(lambda: not self._connections, timeout_seconds)
        with self._lock:
            for connection in list(self._connections):
                if connection.session is not None:
                    self._process(connection, connection.session.lost("this side stops"))
            self._settle_fate(self._managers.expire(math.inf))
            self._give_up(waiting_only=False)
            self._settle()
        self._serve()

    def check(self, trust: Trust) -> None:
        """End the connections whose certificates ``trust`` does not know any more."""
        with self._lock:
            for connection in list(self._connections):
                self._check(connection, trust)
            self._settle()
        self._serve()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The managers with a connection."""
        with self._lock:
            found = tuple(manager.host for manager in self._managers)
        self._serve()
        return found

    def leads_to(self, incarnation: str) -> bool:
        """Return whether a manager has a connection."""
        return self._managers.connected(incarnation)

    def status(self) -> dict[str, Any]:
        """Return the state in plain values, as :meth:`~cells.drivers.direct.node.Node.status` describes."""
        with self._lock:
            found = {
                "state": self._availability.state.value,
                "since": self._availability.since,
                "managers": self._managers.status(),
                "queue": self._outbox.usage(),
            }
        self._serve()
        return found

    def attach(self, connection: Connection) -> None:
        """Begin the session of a connection whose peer has the certificate of this neighbor.

        :raises PeerRefused: the link is closed, or has too many connections
        """
        with self._lock:
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
        self._serve()

    def opened(self, connection: Connection, pieces: list[bytes]) -> None:
        """Begin the exchange: as :class:`~cells.drivers.direct.connection.Link` describes."""
        with self._lock:
            self._process(connection, connection.read(pieces))
            self._settle()
        self._serve()
        self._receivers.serve(connection.loop)

    def received(self, connection: Connection, data: bytes, problem: str) -> None:
        """Process bytes of the socket."""
        with self._lock:
            if connection in self._connections:
                self._process(connection, connection.take(data, problem))
                self._settle()
        self._serve()
        self._receivers.serve(connection.loop)

    def writable(self, connection: Connection) -> None:
        """Continue to write."""
        with self._lock:
            connection.unblock()
            if connection in self._connections:
                self._dirty[connection] = None
                self._settle()
        self._serve()

    def tick(self, connection: Connection) -> None:
        """Do the work that is due."""
        with self._lock:
            if connection in self._connections and connection.session is not None:
                self._process(connection, connection.session.tick())
                self._settle()
        self._serve()

    def release(self, connection: Connection, received: Received) -> None:
        """Return the credit of messages that were handed on."""
        with self._lock:
            if connection in self._connections and connection.session is not None:
                connection.session.release(received.message_class, len(received.payloads), received.charge)
                if connection.next_deadline() <= self._clock():
                    self._dirty[connection] = None
                    self._settle()
                else:
                    connection.alarm.set(connection.next_deadline())
        self._serve()

    def check_one(self, connection: Connection, trust: Trust) -> None:
        """Check a connection whose handshake ended while the certificates changed."""
        with self._lock:
            self._check(connection, trust)
            self._settle()
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
        if not self._outbox or not self._connections:
            with self._went_idle:
                self._went_idle.notify_all()

    # From here on, the caller holds the lock.

    def _take_inbox(self) -> None:
        inbox, outbox = self._inbox, self._outbox
        for _ in range(min(len(inbox), _BATCH)):
            message = inbox.popleft()
            if self._closed is not None:
                outbox.refuse(message, fresh(self._closed))
            elif self._availability.state is LinkState.DOWN:
                outbox.refuse(message, self._availability.down())
            elif message.deadline is not None and message.deadline <= self._clock():
                outbox.refuse(
                    message, exceptions.CellTimeout(f"A message for cell {self.name} was too late to be sent.")
                )
            elif outbox.add(message):
                self._place(message)
        self._alarm.set(outbox.expires_at)

    def _place(self, message: Message) -> None:
        """Give a message to a session, or let it wait."""
        if message.fanout and self._managers.hosts:
            self._outbox.withdraw(message)
            for one in copies(message, self._managers.hosts):
                if self._outbox.add(one):
                    self._place(one)
            return
        try:
            for connection in self._managers.choose(message.message_class, message.server):
                session = connection.session
                if session is not None and session.send(message.message_class, message.payload, message):
                    self._outbox.hand_over(message)
                    self._dirty[connection] = None
                    return
        except exceptions.ManagerGone as error:
            # After the start of this manager, those of the neighbor need time to connect.
            if self._clock() >= self._availability.started_at:
                self._outbox.finish(message, error)
                return
        except exceptions.CellsError as error:
            self._outbox.finish(message, error)
            return
        self._outbox.wait(message)

    def _settle(self) -> None:
        """Write, and process all that follows from it."""
        while self._dirty or self._has_news:
            if self._has_news:
                self._has_news = False
                for message in self._outbox.take_waiting():
                    self._place(message)
            while self._dirty:
                connection, _ = self._dirty.popitem()
                if connection in self._connections:
                    self._process(connection, connection.flush(), wrote=True)
                    if connection in self._connections:
                        connection.alarm.set(connection.next_deadline())

    def _process(self, connection: Connection, events: list[Event], *, wrote: bool = False) -> None:
        for event in events:
            if isinstance(event, Received):
                self._receivers.put(self, connection, event)
            elif isinstance(event, Connected):
                self._open(connection, event.hello)
            elif isinstance(event, Ended):
                self._end(connection, event.error)
            else:
                self._settle_fate([event])
        if not wrote and connection in self._connections:
            self._dirty[connection] = None

    def _settle_fate(self, events: Iterable[Event]) -> None:
        for event in events:  # a message that was not sent may find another connection
            self._has_news |= self._outbox.settle(event, self._availability.unknown_fate)

    def _find_stream(self, hello: Hello) -> Stream:
        return self._managers.find(hello, self._clock())

    def _check(self, connection: Connection, trust: Trust) -> None:
        if connection in self._connections and connection.trust is not trust:
            self._process(connection, connection.check(trust))

    def _open(self, connection: Connection, hello: Hello) -> None:
        session = connection.session
        if session is None or not self._managers.knows(hello.incarnation, session.stream):
            self._process(connection, [] if session is None else session.lost("its greeting took too long"))
            return
        connection.since = self._runtime.wall_clock()
        self._availability.connect()
        self._settle_fate(self._managers.open(connection, hello))
        LOG.info("Cell %s: connected with its manager %s (%s).", self.name, hello.host, connection.address)
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
        if not self._managers.is_connected:
            self._availability.lose(now)
        self._alarm.set(now + self._settings.reconnect_seconds)
        connection.finish()
        self._on_ended(self, connection, error)

    def _ring(self) -> None:
        """Do the work that is due, on the thread of the loop.  Takes the lock."""
        with self._lock:
            now, wait = self._clock(), self._settings.reconnect_seconds
            if self._outbox.expires_at <= now:
                self._outbox.expire(now)
            self._settle_fate(self._managers.expire(now - wait))
            if self._availability.expire(now):
                LOG.warning("%s", self._availability.down().message)
                self._give_up(waiting_only=True)
            self._has_news = True
            self._settle()
            due = [self._outbox.expires_at, self._managers.lost_at + wait, self._availability.down_at]
            self._alarm.set(min([*due, self._availability.started_at] if now < self._availability.started_at else due))
        self._serve()

    def _give_up(self, *, waiting_only: bool) -> None:
        def error(may_arrive: bool) -> exceptions.CellsError:
            if may_arrive:
                return self._availability.unknown_fate()
            return self._availability.down() if self._closed is None else fresh(self._closed)

        self._outbox.finish_all(error, waiting_only=waiting_only)

"""Connection: one socket of a direct link, its TLS channel, and the session on it.

The thread of the loop reads.  After the handshake the channel and the session belong to the connection's link: only a
thread that holds the link's lock uses them.  So a thread that sends a message may encrypt and write it itself, without
a hand-over to another thread.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import socket
from typing import NamedTuple, Protocol

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.events import Event
from cells.drivers.direct.loop import Alarm, Loop
from cells.drivers.direct.session import Session, State
from cells.drivers.direct.tls import Channel
from cells.drivers.direct.trust import Trust

LOG = logging.getLogger(__name__)

#: From the start of a connection until the peer has answered the hello.
HANDSHAKE_SECONDS = 10.0
#: Until the peer has taken the connection, within that time.  The system repeats the first packet ever more rarely: a
#: new attempt finds a peer that has come back earlier.
CONNECT_SECONDS = 3.0
#: How long a connection that has ended waits for its peer to read the last bytes.
_LINGER_SECONDS = 1.0
_OPENING = (State.GREETING, State.ANSWERING)
#: Bytes of one read.
_READ_BYTES = 65536
#: Plaintext of one write, and writes at once: then other connections get their turn.
_WRITE_BYTES, _WRITES = 65536, 4


class Link(Protocol):
    """The part of a link that its connections call.  All methods take the lock, and run on the thread of a loop."""

    def opened(self, connection: Connection, pieces: list[bytes]) -> None:
        """Begin the session, with the plaintext that came with the end of the handshake."""

    def received(self, connection: Connection, data: bytes, problem: str) -> None:
        """Process bytes of the socket; without any, the socket has ended because of ``problem``."""

    def writable(self, connection: Connection) -> None: ...

    def tick(self, connection: Connection) -> None: ...


class Owner(Protocol):
    """Decides which connections stay.  Called on the thread of a loop."""

    def identified(self, connection: Connection, neighbor: str) -> Link:
        """Return the link to the neighbor of a checked certificate, and set the session of the connection.

        :raises cells.exceptions.CellsError: the connection is not wanted
        """

    def refused(self, connection: Connection, error: exceptions.CellsError) -> None:
        """Take note that a connection ends before it has a link."""

    def closed(self, connection: Connection) -> None:
        """Take note that the socket is closed."""


class Opened(NamedTuple):
    """A socket, and the identity of its peer as far as it is known."""

    socket: socket.socket
    #: of the peer, for log lines
    address: str
    #: the neighbor at whose address this cell connects; None: the peer has connected
    neighbor: str | None = None


class Connection:
    """One end of a connection."""

    def __init__(self, loop: Loop, opened: Opened, trust: Trust, owner: Owner) -> None:
        self.address = opened.address
        self.is_dialed = opened.neighbor is not None
        self.trust = trust
        #: set by the owner when the peer is identified
        self.session: Session | None = None
        #: seconds since the epoch, when the session opened
        self.since = 0.0
        self.loop = loop
        self.alarm = Alarm(loop, self._ring)
        #: the end of the time for the handshake and the hello
        self.deadline = loop.now() + HANDSHAKE_SECONDS
        self.heard_at = loop.now()
        self._socket = opened.socket
        self._owner = owner
        self._link: Link | None = None
        self._channel = Channel(trust, opened.neighbor)
        self._is_connecting = False
        self._connects_until = self.deadline
        self._unsent: bytes | memoryview = b""
        #: whether the thread of the loop has to continue writing
        self._is_blocked = False
        self._problem = ""
        self._is_ending = self._is_closed = False
        self._closes_at = 0.0
        self._socket.setblocking(False)
        # Small frames must not wait for the acknowledgement of the bytes before them.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Begin the handshake on a socket that is connected.  On the thread of the loop."""
        self.loop.watch(self._socket, selectors.EVENT_READ, self._ready)
        self.alarm.set(self.deadline)
        self._send_handshake()

    def connect(self, address: tuple[object, ...]) -> None:
        """Connect, and begin the handshake.  On the thread of the loop."""
        code = self._socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self._fail_to_connect(code)
            return
        self._is_connecting = True
        self._connects_until = min(self.deadline, self.loop.now() + CONNECT_SECONDS)
        self.loop.watch(self._socket, selectors.EVENT_WRITE, self._ready)
        self.alarm.set(self._connects_until)

    @property
    def is_over(self) -> bool:
        """Return whether the session has ended, or the connection never got one."""
        return self._is_ending or (self.session is not None and self.session.state is State.ENDED)

    @property
    def is_opening(self) -> bool:
        """Return whether the session waits for the answer to the hello."""
        return self.session is not None and self.session.state in _OPENING

    def take(self, data: bytes, problem: str) -> list[Event]:
        """Return the events of bytes of the socket.  The caller holds the lock of the link."""
        session = self.session or self._known_session()
        if not data:
            return session.lost(problem)
        try:
            pieces = self._channel.feed(data)
        except exceptions.CellsError as error:
            return session.lost(error.message.rstrip("."))
        events = self.read(pieces)
        if self._channel.is_closed:
            events += session.lost("the peer has closed it")
        return events

    def read(self, pieces: list[bytes]) -> list[Event]:
        """Return the events of plaintext.  The caller holds the lock of the link."""
        if not pieces:
            return []
        session = self.session or self._known_session()
        return session.receive(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def check(self, trust: Trust) -> list[Event]:
        """Return the events of a change of certificates.  The caller holds the lock of the link."""
        self.trust = trust
        try:
            self._channel.check(trust)
        except exceptions.CellsError as error:
            return self._known_session().lost(error.message.rstrip("."))
        return []

    def flush(self) -> list[Event]:
        """Write as much as the socket takes, up to a limit.  The caller holds the lock of the link.

        :returns: the events of a socket that has failed
        """
        session = self.session or self._known_session()
        if self._is_blocked or self._problem:
            return []
        for _ in range(_WRITES):
            is_last = False
            if not self._unsent:
                plaintext = b"" if self._channel.is_closed else session.bytes_to_send(_WRITE_BYTES)
                is_last = len(plaintext) < _WRITE_BYTES
                if plaintext:
                    self._channel.write(plaintext)
                self._unsent = self._channel.ciphertext_to_send()
            if not self._write():
                return session.lost(self._problem) if self._problem else []
            if is_last:
                return []
        self._wait_until_writable()
        return []

    def next_deadline(self) -> float:
        """Return when :meth:`Link.tick` has something to do.  The caller holds the lock of the link."""
        return (self.session or self._known_session()).next_deadline(can_write=not self._is_blocked)

    def has_frames(self, now: float) -> bool:
        """Return whether :meth:`flush` may write something.  The caller holds the lock of the link.

        :param now: seconds of the clock
        """
        return bool(self._unsent) or (self.session or self._known_session()).has_frames(now)

    def unblock(self) -> None:
        """Take note that the socket takes bytes.  The caller holds the lock of the link."""
        self._is_blocked = False

    def finish(self) -> None:
        """Send the last bytes, and close the socket.  The caller holds the lock of the link."""
        if not self._is_ending:
            self.flush()
            self._end()

    def drop(self, error: exceptions.CellsError) -> None:
        """End a connection that has not opened, at once.  On the thread of the loop."""
        if self._link is not None:
            self._link.received(self, b"", error.message)
        elif not self._is_ending:
            self._owner.refused(self, error)
        self.close()

    def close(self) -> None:
        """Close the socket at once.  On the thread of the loop; may be called twice."""
        if not self._is_closed:
            self._is_closed = self._is_ending = True
            self.loop.forget(self._socket)
            self._socket.close()
            # Else the alarm would keep the connection, with 40 KB of OpenSSL, until the end of its time.
            self.alarm.cancel()
            self._owner.closed(self)

    def _known_session(self) -> Session:
        if self.session is None:
            raise RuntimeError("The connection has no session yet")
        return self.session

    def _ready(self, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._writable()
            if mask & selectors.EVENT_READ and not self._is_closed:
                self._readable()
        except Exception as error:
            LOG.exception("The connection with %s fails.", self.address)
            self._problem = f"an internal error: {error}"
            if self._link is not None:
                self._link.received(self, b"", self._problem)
            self.close()

    def _readable(self) -> None:
        problem = "the peer has closed it"
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            data, problem = b"", _text(error)
        if not data:
            self._problem = self._problem or problem
        if self._is_ending:
            if not data:
                self.close()
        elif self._link is not None:
            self._link.received(self, data, problem)
        else:
            self._shake(data)

    def _shake(self, data: bytes) -> None:
        """Continue the handshake."""
        self.heard_at = self.loop.now()
        try:
            if not data:
                self._channel.end()
            pieces = self._channel.feed(data)
            if self._channel.neighbor is not None:
                self._link = self._owner.identified(self, self._channel.neighbor)
        except exceptions.CellsError as error:
            self._refuse(error)
            return
        if self._link is None:
            self._send_handshake()
        else:
            self._link.opened(self, pieces)

    def _send_handshake(self) -> None:
        if not self._is_blocked:
            self._unsent = self._channel.ciphertext_to_send()
            if not self._write() and self._problem:
                self._refuse(errors.ConnectionLost(f"The connection is lost: {self._problem}."))

    def _refuse(self, error: exceptions.CellsError) -> None:
        if self._is_ending:
            return
        if not self._is_blocked and not self._problem:
            self._unsent = self._channel.ciphertext_to_send()
            self._write()
        self._owner.refused(self, error)
        self._end()

    def _write(self) -> bool:
        """Return whether all encrypted bytes are written."""
        if not self._unsent:
            return True
        try:
            count = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError as error:
            self._problem = _text(error)
            return False
        if count == len(self._unsent):
            self._unsent = b""
            return True
        self._unsent = memoryview(self._unsent)[count:]
        self._wait_until_writable()
        return False

    def _wait_until_writable(self) -> None:
        self._is_blocked = True
        self.loop.call(self._watch_writes)

    def _watch_writes(self) -> None:
        if not self._is_closed and not self._is_connecting:
            self.loop.change(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self._ready)

    def _writable(self) -> None:
        if self._is_connecting:
            self._is_connecting = False
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._fail_to_connect(code)
                return
            self._connects_until = self.deadline
            self.loop.change(self._socket, selectors.EVENT_READ, self._ready)
            self._send_handshake()
            return
        self.loop.change(self._socket, selectors.EVENT_READ, self._ready)
        if self._is_ending:
            self._is_blocked = False
            self._say_last()
        elif self._link is not None:
            self._link.writable(self)
        else:
            self._is_blocked = False
            self._write()

    def _fail_to_connect(self, code: int) -> None:
        self._problem = os.strerror(code)
        self._owner.refused(self, errors.ConnectionLost(f"No connection to {self.address}: {self._problem}."))
        self.close()

    def _end(self) -> None:
        self._is_ending = True
        self._closes_at = self.loop.now() + _LINGER_SECONDS
        self.loop.call(self.close if self._problem else self._say_last)
        self.alarm.set(self._closes_at)

    def _say_last(self) -> None:
        """Write the bytes that are left, and that nothing follows; the peer reads them before it closes the socket.

        A socket that is closed while bytes of the peer are unread loses the bytes that the peer has not read.
        """
        if self._is_closed or self._is_blocked or not self._write():
            if self._problem:
                self.close()
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _ring(self) -> None:
        if self._is_ending:
            if self.loop.now() >= self._closes_at:
                self.close()
            else:
                self.alarm.set(self._closes_at)
        elif self._link is not None:
            # Without the lock: a thread that makes the deadline earlier sets the alarm, too.
            due_at = self.next_deadline()
            if due_at > self.loop.now():
                self.alarm.set(due_at)
            else:
                self._link.tick(self)
        elif self.loop.now() < self._connects_until:
            self.alarm.set(self._connects_until)
        elif self._is_connecting:
            self._fail_to_connect(errno.ETIMEDOUT)
        else:
            self._refuse(
                errors.HelloTimeout(f"{self.address} did not end the handshake within {HANDSHAKE_SECONDS:g} s.")
            )


def _text(error: OSError) -> str:
    return error.strerror or str(error)

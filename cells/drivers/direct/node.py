"""Node: the direct links of one manager.

It knows neighbors with their certificates and addresses, and payloads.  The driver gives it both, and its callbacks.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.drivers.direct import doorkeeper, errors
from cells.drivers.direct.connection import Connection, Opened
from cells.drivers.direct.dialer import Dial, Dialing
from cells.drivers.direct.doorkeeper import Doorkeeper
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.link import DirectLink
from cells.drivers.direct.listener import Listener
from cells.drivers.direct.loop import Alarm, Loop
from cells.drivers.direct.message import Message
from cells.drivers.direct.node_settings import Callbacks, NodeSettings, Peer
from cells.drivers.direct.receivers import Receivers
from cells.drivers.direct.shared import Shared
from cells.drivers.direct.tls_error import TLSError
from cells.drivers.direct.trust import Trust
from cells.limited_log import LimitedLog
from cells.transport.socket_address import SocketAddress
from cells.worker_threads import Runtime, WorkerThreads

LOG = logging.getLogger(__name__)

#: The event under which connections are counted that do not open; the reason is that of a TLSError, or a class.
REFUSED = "direct_refused"
#: The event under which connections are counted that were open.
ENDED = "direct_ended"
_RESOLVERS = 2


class Node:
    """Listener, dials, links and threads.  Thread-safe.

    :param own: the hello of this manager
    :raises cells.exceptions.ConfigurationError: a certificate, the key, or an address to listen at cannot be used
    """

    def __init__(
        self,
        own: Hello,
        settings: NodeSettings,
        callbacks: Callbacks,
        runtime: Runtime,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._counters = counters
        self._log = LimitedLog(LOG, runtime.clock)
        self._lock = threading.Lock()
        self._peers: dict[str, Peer] = {}
        self._links: dict[str, DirectLink] = {}
        self._dials: dict[str, list[Dial]] = {}
        self._by_connection: dict[Connection, Dial] = {}
        self._trusted: object = None
        self._trust = self._build_trust({})
        self._is_stopped = False
        self._loops = [Loop(runtime, f"cells-direct-io_{number}") for number in range(settings.io_threads)]
        self._turn = 0
        self._receivers = Receivers(callbacks.on_messages, callbacks.custody, runtime)
        self._shared = Shared(
            own,
            settings.links,
            runtime,
            self._receivers,
            self._opened,
            self._ended,
            callbacks.on_state,
            callbacks.pass_on,
            self._is_dialing,
        )
        self._on_connections = callbacks.on_connections
        self._resolvers = WorkerThreads(_RESOLVERS, 1_000_000, "cells-direct-resolve", runtime.spawn)
        self._dialing = Dialing(self._resolvers.run, self._connect, runtime.clock, self._not_dialed)
        self._door = Doorkeeper(doorkeeper.affordable(settings.max_handshakes))
        #: all connections whose sockets are open
        self._connections: set[Connection] = set()
        self._was_closed = threading.Condition()
        try:
            self._listener = Listener(
                self._loops[0], settings.listen, self._door.has_room, self._accept, self._no_descriptor
            )
        except BaseException:
            self._stop_loops(0.0)
            raise

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which this manager listens."""
        return self._listener.addresses

    def looked_at(self) -> dict[str, float]:
        """Return when each I/O thread last went round, by its name, in seconds of the clock."""
        return {loop.name: at for loop in self._loops if (at := loop.looked_at) is not None}

    def start(self) -> None:
        """Start the threads, listen and dial.

        :raises RuntimeError: the system has no thread left
        """
        for loop in self._loops:
            loop.start()
        self._listener.start()

    def configure(self, peers: Sequence[Peer]) -> None:
        """Set the neighbors.  Connections of other neighbors, and with other certificates, end at once.

        Reads the own certificate and key again if the files have changed.  Blocks for about 1 ms per certificate if one
        has changed.

        :raises cells.exceptions.ConfigurationError: a certificate or the key cannot be used; nothing has changed
        """
        with self._lock:
            if self._is_stopped:
                return
            wanted = {peer.name: peer for peer in peers}
            self._trust = self._build_trust(wanted)
            removed = [self._links.pop(name) for name in self._links.keys() - wanted.keys()]
            for name in self._peers.keys() - wanted.keys():
                self._stop_dials(name)
            for name, peer in wanted.items():
                if name not in self._links:
                    self._links[name] = DirectLink(name, self._next_loop(), self._shared)
                before = self._peers.get(name)
                if before is None or before.addresses != peer.addresses:
                    self._redial(peer, () if before is None else before.addresses)
            self._peers = wanted
            links = list(self._links.values())
        for link in removed:
            link.close(_no_neighbor(link.name))
            link.wait_until_closed(0.0)
        for link in links:
            link.check(self._trust)

    def send(self, neighbor: str, *messages: Message) -> None:
        """Send messages, in their order.  Never blocks and never raises.

        The outcome of each is reported to its ``on_done``, on any thread.
        """
        link = self._links.get(neighbor)
        if link is None:
            for message in messages:
                message.on_done(_no_neighbor(neighbor))
        else:
            link.send(messages)

    def wait_for_room(self, neighbor: str, until: float) -> bool:
        """Wait until a link has room for many requests; return False if it has none, or no connection."""
        link = self._links.get(neighbor)
        return link is not None and link.wait_for_room(until)

    def hosts(self, neighbor: str) -> tuple[str, ...]:
        """Return the managers of a neighbor that have a connection to this manager."""
        link = self._links.get(neighbor)
        return () if link is None else link.hosts

    def connections(self) -> dict[str, tuple[str, ...]]:
        """Return the managers with a connection, of each neighbor."""
        return {name: link.hosts for name, link in list(self._links.items())}

    def reach_through(self, neighbor: str, siblings: tuple[str, ...]) -> None:
        """Take note of the other managers of this cell that have a connection to a neighbor."""
        link = self._links.get(neighbor)
        if link is not None:
            link.reach_through(siblings)

    def alarm(self, ring: Callable[[], None]) -> Alarm:
        """Return an alarm that rings on an I/O thread."""
        return Alarm(self._loops[0], ring)

    def status(self, neighbor: str) -> dict[str, Any] | None:
        """Return the state of a link in plain values; None: no such neighbor.

        ``{"state": "connected" | "reconnecting" | "down", "since": seconds since the epoch, "problem": why the last
        attempt to connect has failed, or empty, "managers": [{"host": ..., "since": ..., "address": ...,
        "dialed": bool, "round_trip": seconds or None, "credit": {class: {"messages": ..., "bytes": ...}}}],
        "through": the hosts of other managers of this cell that have a connection, "queue": {class: {"messages": ...,
        "bytes": ...}},
        "oldest_seconds": the age of the oldest message in the queue}``; a class is ``control``, ``response`` or
        ``request``.
        """
        link = self._links.get(neighbor)
        return None if link is None else link.status()

    def stop_taking(self, classes: frozenset[MessageClass]) -> None:
        """Receive no new messages of these classes; the neighbors send them to other managers, or later."""
        for link in list(self._links.values()):
            link.stop_taking(classes)

    def wait_until_handed_on(self, timeout_seconds: float) -> None:
        """Wait until all received messages are handed on, for at most so long."""
        self._receivers.stop(timeout_seconds)

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until the fate of all messages to connected neighbors is known; return whether it is."""
        until = self._runtime.clock() + timeout_seconds
        for link in list(self._links.values()):
            link.wait_until_idle(max(0.0, until - self._runtime.clock()))
        return all(link.is_idle for link in list(self._links.values()))

    def stop(self, timeout_seconds: float) -> None:
        """Send the messages that can be sent, say goodbye, give up the rest, end all threads.  May be called twice."""
        deadline = self._runtime.clock() + timeout_seconds

        def left(share: float = 1.0) -> float:
            return max(0.0, (deadline - self._runtime.clock()) * share)

        with self._lock:
            self._is_stopped = True
            links = list(self._links.values())
            for name in list(self._dials):
                self._stop_dials(name)
        self._listener.close()
        self.wait_until_idle(left(0.5))
        stopping = exceptions.ManagerStopping("This manager stops.")
        for link in links:
            link.close(stopping)
        for link in links:
            link.wait_until_closed(left(0.5))
        self._resolvers.stop(0.0)
        self._receivers.stop(left())
        with self._was_closed:
            # The peers close the connections when they have read the goodbye.
            self._was_closed.wait_for(lambda: not self._connections, left())
        self._stop_loops(1.0)

    def _stop_loops(self, timeout_seconds: float) -> None:
        for loop in self._loops:
            loop.stop(timeout_seconds)

    def identified(self, connection: Connection, neighbor: str) -> DirectLink:
        """Return the link of a connection whose certificate is that of ``neighbor``."""
        link = self._links.get(neighbor)
        if link is None:
            raise TLSError(f"Cell {neighbor} is not registered here any more.", reason="unknown_certificate")
        link.attach(connection)
        if connection.trust is not self._trust:
            # The certificates changed during the handshake.
            connection.loop.call(lambda: link.check(self._trust, connection))
        return link

    def refused(self, connection: Connection, error: exceptions.CellsError) -> None:
        """Count and log a connection that does not open."""
        reason = getattr(error, "reason", None) or type(error).__name__
        self._counters.count(REFUSED, reason)
        dial = self._by_connection.get(connection)
        if dial is None:
            self._log.warn_about(
                f"{REFUSED} {reason}", "A connection with %s is refused: %s", connection.address, error
            )
        else:
            dial.failed(error)
            self._dial_failed(dial.neighbor, f"{connection.address}: {error}")
        self._redial_after(connection, is_satisfied=False)

    def _not_dialed(self, neighbor: str, address: str, error: Exception) -> None:
        self._counters.count(REFUSED, "no_descriptor" if isinstance(error, OSError) else "no_address")
        self._dial_failed(neighbor, f"{address}: {error}")

    def _dial_failed(self, neighbor: str, problem: str) -> None:
        link = self._links.get(neighbor)
        if link is not None:
            link.note_problem(problem)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._door.remove(connection)
        self._redial_after(connection, is_satisfied=False)
        with self._was_closed:
            self._connections.discard(connection)
            self._was_closed.notify_all()
        self._listener.resume()

    def _opened(self, connection: Connection) -> None:
        peer = None if connection.session is None else connection.session.peer
        if peer is not None:
            text = "Cell %s: connected with its manager %s (%s)."
            # Limited, because a neighbor may connect again and again.
            subject = f"{peer.cell} connected"
            self._log.log_about(logging.INFO, subject, text, peer.cell, peer.host, connection.address)
        self._door.remove(connection)
        self._listener.resume()
        dial = self._by_connection.get(connection)
        if dial is not None:
            dial.connected()
        self._on_connections()

    def _ended(self, name: str, connection: Connection, error: errors.ConnectionEnded) -> None:
        """Take note of the end of a session.  Runs under the lock of the link."""
        session = connection.session
        peer = None if session is None else session.peer
        link = self._links.get(name)
        reason = type(error).__name__
        is_satisfied = peer is not None and link is not None and link.leads_to(peer.incarnation)
        if connection.since:
            self._on_connections()
            self._counters.count(ENDED, reason)
            text = "Cell %s: the connection with %s has ended: %s"
            self._log.log_about(logging.INFO, f"{name} {reason}", text, name, connection.address, error)
        elif not is_satisfied:
            self._counters.count(REFUSED, reason)
            self._dial_failed(name, f"{connection.address}: {error}")
            dial = self._by_connection.get(connection)
            if dial is None:
                text = "Cell %s: a connection with %s does not open: %s"
                self._log.warn_about(f"{name} {reason}", text, name, connection.address, error)
            else:
                dial.failed(error)
        self._redial_after(connection, is_satisfied=is_satisfied)
        if not is_satisfied:
            for dial in self._dials.get(name, ()):
                dial.retry()

    def _redial_after(self, connection: Connection, *, is_satisfied: bool) -> None:
        dial = self._by_connection.pop(connection, None)
        if dial is not None:
            dial.ended(is_satisfied=is_satisfied)

    def _build_trust(self, peers: dict[str, Peer]) -> Trust:
        """Return the Trust for these neighbors: the present one, if nothing has changed."""
        settings = self._settings
        registered = {peer.name: peer.certificates for peer in peers.values() if peer.certificates}
        issued = {peer.name: peer.path for peer in peers.values() if peer.path}
        trusted = (registered, issued, _version(settings.certificate), _version(settings.key))
        if trusted != self._trusted:
            trust = Trust(settings.certificate, settings.key, registered, settings.authorities, issued)
            self._trusted = trusted
            return trust
        return self._trust

    def _next_loop(self) -> Loop:
        self._turn += 1
        return self._loops[self._turn % len(self._loops)]

    def _is_dialing(self, neighbor: str) -> bool:
        return any(dial.is_connecting for dial in self._dials.get(neighbor, ()))

    def _redial(self, peer: Peer, before: tuple[str, ...]) -> None:
        """Dial the addresses that are new, and no longer those that are not wanted."""
        kept = []
        for dial in self._dials.pop(peer.name, []):
            if dial.text in peer.addresses:
                kept.append(dial)
            else:
                dial.stop()
        new = [text for text in dict.fromkeys(peer.addresses) if text not in before]
        kept += [Dial(peer.name, text, self._next_loop(), self._dialing) for text in new]
        self._dials[peer.name] = kept

    def _stop_dials(self, name: str) -> None:
        for dial in self._dials.pop(name, []):
            dial.stop()

    def _connect(self, dial: Dial, address: SocketAddress) -> None:
        opened = Opened(socket.socket(address.family, socket.SOCK_STREAM), dial.text, dial.neighbor)
        connection = Connection(dial.loop, opened, self._trust, self)
        self._connections.add(connection)
        self._by_connection[connection] = dial
        connection.connect(address.address)

    def _accept(self, accepted: socket.socket, address: str) -> None:
        loop = self._next_loop()
        connection = Connection(loop, Opened(accepted, address), self._trust, self)
        self._connections.add(connection)
        self._door.add(connection)
        loop.call(connection.start)

    def _no_descriptor(self, error: OSError) -> None:
        self._counters.count(REFUSED, "no_descriptor")
        self._log.warn_about(
            "no_descriptor", "No connection can be accepted (%s): raise the limit of open files of this process.", error
        )


def _no_neighbor(name: str) -> exceptions.CellsError:
    return exceptions.NeighborUnreachable(f"Cell {name} is not registered here with a direct link.", cell=name)


def _version(file: Path) -> object:
    """Return a value that changes with the content of a file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

"""The HTTP listener of a manager: few threads, and a bound for everything that a client may do.

A client that is slow to send its request or to read the answer keeps a thread for at most MAX_SECONDS, and if all
threads are taken, the oldest connection is closed for a new one.  So no number of slow clients can keep the monitoring
system out.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Sequence
from typing import Any

from cells import exceptions
from cells.metrics.http_server import Application, HttpServer
from cells.transport import socket_address
from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

#: Connections at a time, each with a thread.
MAX_CONNECTIONS = 8
#: Bound of the time of one connection.
MAX_SECONDS = 10.0
#: If all threads are taken, a new connection waits so long before the oldest one is closed for it.
CROWDED_SECONDS = 0.25
#: Pause before an address that is in use is tried again.
BIND_SECONDS = 5.0
#: How often connections that last too long are looked for.
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 2.0


class Listener:
    """Serves an application at a list of addresses, on threads of its own."""

    def __init__(self, addresses: Sequence[str], app: Application, runtime: Runtime) -> None:
        """:param addresses: as of [cells_metrics] listen.  No I/O"""
        self._texts = tuple(addresses)
        self._app = app
        self._runtime = runtime
        self._clock = runtime.clock
        self._is_stopped = threading.Event()
        self._lock = threading.Lock()
        self._has_ended = threading.Condition(self._lock)
        #: open connection -> when it was accepted, in this order
        self._connections: dict[socket.socket, float] = {}
        self._servers: list[HttpServer] = []
        self._thread: Thread | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The bound addresses, as texts."""
        return tuple(socket_address.show(server.server_address) for server in self._servers)

    def start(self) -> None:
        """Listen.  An address that is in use is tried again: the manager serves its cell meanwhile."""
        if self._texts:
            self._thread = self._runtime.spawn(self._run, "cells-http")

    def stop(self) -> None:
        """Close all connections and stop listening.  May be called twice."""
        self._is_stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            if self._bind():
                self._serve()
        finally:
            for server in self._servers:
                server.server_close()
            with self._lock:
                self._end(list(self._connections))

    def _bind(self) -> bool:
        """Bind all addresses; return False if the listener was stopped before."""
        problem = ""
        while not self._is_stopped.is_set():
            before, problem = problem, self._bind_all()
            if not problem:
                LOG.info("The metrics and the health of this manager are at http://%s/.", ", ".join(self.addresses))
                return True
            if problem != before:
                LOG.error(
                    "The metrics and the health of this manager are not served: %s ([cells_metrics] listen). Messages "
                    "are; the address is tried again every %.0f s.",
                    problem,
                    BIND_SECONDS,
                )
            self._is_stopped.wait(BIND_SECONDS)
        return False

    def _bind_all(self) -> str:
        """Bind all addresses or none; return the problem."""
        bound: list[HttpServer] = []
        for text in self._texts:
            try:
                for address in socket_address.resolve(text, is_passive=True):
                    bound.append(HttpServer(address, self._app))
            except (OSError, exceptions.ConfigurationError) as error:
                for server in bound:
                    server.server_close()
                reason = error.message if isinstance(error, exceptions.ConfigurationError) else error.strerror
                return f"{text}: {reason}"
        self._servers = bound
        return ""

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for server in self._servers:
                selector.register(server.socket, selectors.EVENT_READ, server)
            while not self._is_stopped.is_set():
                for key, _ in selector.select(_LOOK_SECONDS):
                    # No descriptor is left, or the client has gone: the next turn tries again.
                    with contextlib.suppress(OSError):
                        self._accept(key.data)
                self._end_old()

    def _accept(self, server: HttpServer) -> None:
        connection, address = server.socket.accept()
        connection.setblocking(True)
        if not self._make_room():
            connection.close()
            return
        with self._lock:
            self._connections[connection] = self._clock()
        try:
            self._runtime.spawn(lambda: self._answer(server, connection, address), "cells-http-request")
        except RuntimeError as error:
            LOG.debug("A request is refused: the system has no thread left: %s", error)
            self._forget(connection)
            connection.close()

    def _answer(self, server: HttpServer, connection: socket.socket, address: Any) -> None:
        try:
            server.answer(connection, address)
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._has_ended:
            self._connections.pop(connection, None)
            self._has_ended.notify_all()

    def _make_room(self) -> bool:
        """Wait until a thread is free, or end the oldest connection; return whether there is room."""
        with self._has_ended:
            for _ in range(2):
                if self._has_ended.wait_for(lambda: len(self._connections) < MAX_CONNECTIONS, CROWDED_SECONDS):
                    return True
                self._end([next(iter(self._connections))])
            return len(self._connections) < MAX_CONNECTIONS

    def _end_old(self) -> None:
        now = self._clock()
        with self._lock:
            self._end([one for one, since in self._connections.items() if now - since > MAX_SECONDS])

    def _end(self, connections: Sequence[socket.socket]) -> None:
        """End the reads and writes of connections, so that their threads close them.  The caller holds the lock."""
        for connection in connections:
            # Another end of it was faster.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

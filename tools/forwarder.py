"""TCP forwarder in front of a server, so that one client or one link can lose its connection.

Tests and drills put it between a manager and its database, or between a cell and the broker
of its neighbor.
"""

from __future__ import annotations

import contextlib
import socket
import threading


class Forwarder:
    """Listener on a separate port of 127.0.0.1 that forwards to ``host:port`` until it is cut or stalled."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._is_flowing = threading.Event()
        self._is_flowing.set()
        #: connections whose bytes are dropped
        self._dead: set[socket.socket] = set()
        self.port = 0
        self.restore()

    def restore(self) -> None:
        """Accept connections (again), on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Break all connections and refuse new ones.  May be called twice."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # close() alone does not wake a thread in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sockets, self._open = self._open, set()
        for one in sockets:
            _close(one)

    def stall(self) -> None:
        """Keep all connections, accept new ones, and forward no byte until :meth:`resume`."""
        self._is_flowing.clear()

    def resume(self) -> None:
        """Forward again, beginning with the bytes that were held back."""
        self._is_flowing.set()

    def half_open(self) -> None:
        """Drop all bytes of the connections that are open now, without closing them; new ones work."""
        with self._lock:
            self._dead |= self._open

    def close(self) -> None:
        """Cut for good, whatever the state, and end the threads."""
        self.cut()
        self.resume()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                _close(client)
                continue
            server.settimeout(None)
            with self._lock:
                if self._listener is not listener:
                    _close(client)
                    _close(server)
                    return
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._is_flowing.wait()
                if source in self._dead:
                    continue
                sink.sendall(data)
        for one in (source, sink):
            with self._lock:
                self._open.discard(one)
            _close(one)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()

"""Listener: the sockets at which managers of neighbors connect."""

from __future__ import annotations

import errno
import functools
import selectors
import socket
from collections.abc import Callable, Sequence

from cells import exceptions
from cells.drivers.direct.loop import Alarm, Loop
from cells.transport import socket_address

#: Connections that are accepted before other sockets get their turn.
_AT_ONCE = 16
_BACKLOG = 1024
#: If the process has no descriptor or no slot left, the listener waits so long, or until a connection is closed.
_PAUSE_SECONDS = 0.05


class Listener:
    """Listening sockets on one loop.

    :param has_room: whether a connection may be accepted now
    :param on_connection: gets each accepted socket, and the text of the peer's address, on the thread of the loop
    :raises cells.exceptions.ConfigurationError: an address cannot be bound
    """

    def __init__(
        self,
        loop: Loop,
        texts: Sequence[str],
        has_room: Callable[[], bool],
        on_connection: Callable[[socket.socket, str], None],
        on_no_descriptor: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._has_room = has_room
        self._on_connection = on_connection
        self._on_no_descriptor = on_no_descriptor
        self._alarm = Alarm(loop, self._watch)
        self._is_paused = True
        self._sockets: list[socket.socket] = []
        self._is_closed = False
        try:
            for text in texts:
                for address in socket_address.resolve(text, is_passive=True):
                    self._sockets.append(_bind(text, address))
        except BaseException:
            self._close_sockets()
            raise
        #: the bound addresses, as texts
        self.addresses = tuple(socket_address.show(bound.getsockname()) for bound in self._sockets)

    def start(self) -> None:
        self._loop.call(self._watch)

    def resume(self) -> None:
        """Take note that there may be room for a connection.  Thread-safe."""
        if self._is_paused:
            self._loop.call(self._watch)

    def close(self) -> None:
        """Stop listening.  May be called twice."""
        self._is_closed = True
        self._loop.call(self._close)

    def _watch(self) -> None:
        if self._is_paused and not self._is_closed:
            self._is_paused = False
            for bound in self._sockets:
                self._loop.watch(bound, selectors.EVENT_READ, functools.partial(self._accept, bound))

    def _accept(self, bound: socket.socket, _mask: int) -> None:
        for _ in range(_AT_ONCE):
            if not self._has_room():
                self._pause()
                return
            try:
                accepted, address = bound.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # The connection stays in the backlog, so that the socket would be ready again at once.
                    self._on_no_descriptor(error)
                    self._pause()
                    return
                continue  # the peer has closed the connection already
            self._on_connection(accepted, socket_address.show(address))

    def _pause(self) -> None:
        self._is_paused = True
        self._forget()
        self._alarm.set(self._loop.now() + _PAUSE_SECONDS)

    def _forget(self) -> None:
        for bound in self._sockets:
            self._loop.forget(bound)

    def _close(self) -> None:
        self._forget()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for bound in self._sockets:
            bound.close()


def _bind(text: str, address: socket_address.SocketAddress) -> socket.socket:
    bound = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address.address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        reason = {
            errno.EADDRINUSE: "another process listens there",
            errno.EADDRNOTAVAIL: "this host has no such address",
            errno.EACCES: "this user may not use the port",
        }.get(error.errno or 0, str(error))
        raise exceptions.ConfigurationError(
            f"This manager cannot listen at {text} ({reason}): use an address of this host and a free port in "
            "[cells_direct] listen."
        ) from error
    bound.setblocking(False)
    return bound

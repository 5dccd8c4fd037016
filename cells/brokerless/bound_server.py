"""BoundServer: the server of a process, with the sockets at which other processes reach it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zmq

from cells import exceptions
from cells.brokerless import addresses, curve, ipc
from cells.brokerless.authenticator import Authenticator
from cells.brokerless.keys import KeyStore
from cells.brokerless.neighbor_topics import NeighborTopics
from cells.brokerless.router_socket import HANDSHAKE_MS, RouterSocket
from cells.brokerless.server import Server


@dataclass(frozen=True)
class BindSpec:
    """Addresses and limits of a server; equal specifications share one server."""

    realm: str  #: separates the servers of two cells in one process
    max_message_bytes: int
    directory: Path | None = None  #: directory for a socket with a random name
    candidates: tuple[str, ...] = ()  #: TCP endpoints; the server takes the first that it can bind
    keys_dir: Path | None = None  #: None: TCP without encryption and authentication
    handshake_ms: int = HANDSHAKE_MS  #: a connection that has not authenticated by then is closed
    neighbor_topics: tuple[str, ...] = ("*",)  #: patterns of topics that the holders of registered keys reach


class BoundServer:
    """A running server and its address."""

    def __init__(self, bind_spec: BindSpec) -> None:
        """:raises cells.exceptions.ConfigurationError: no address of ``bind_spec`` can be bound, or a key is missing"""
        self._bind_spec = bind_spec
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator: Authenticator | None = None
        self._sockets: list[RouterSocket] = []
        self._path: Path | None = None
        bound: list[str] = []
        try:
            if bind_spec.directory is not None:
                bound.append(self._bind_ipc(bind_spec.directory))
            if bind_spec.candidates:
                bound.append(self._bind_first_of(bind_spec.candidates))
            self.address = addresses.Address(tuple(bound))
            self.server = Server(self._sockets, NeighborTopics(bind_spec.neighbor_topics))
            self.server.start()
        except BaseException:
            self._remove_path()
            for socket in self._sockets:
                socket.close()
            self._end_context()
            raise

    def _bind_ipc(self, directory: Path) -> str:
        ipc.private_directory(directory)
        ipc.remove_stale(directory)
        self._path = path = ipc.new_socket_path(directory)
        socket = self._new_socket()
        try:
            socket.socket.bind(f"{addresses.IPC}{path}")
            path.chmod(0o600)
        except (zmq.ZMQError, OSError) as error:
            raise exceptions.ConfigurationError(f"A socket cannot be created in {directory}: {error}.") from error
        return f"{addresses.IPC}{path}"

    def _bind_first_of(self, candidates: Sequence[str]) -> str:
        socket = self._new_socket(is_authenticated=self._bind_spec.keys_dir is not None)
        if self._bind_spec.keys_dir is not None:
            store = KeyStore(self._bind_spec.keys_dir)
            curve.secure_server(socket.socket, store)
            self._authenticator = Authenticator(self._context, store)
            self._authenticator.start()
        problems = []
        for endpoint in candidates:
            try:
                socket.socket.bind(endpoint)
            except zmq.ZMQError as error:
                problems.append(f"{endpoint}: {error}")
            else:
                return endpoint
        raise exceptions.ConfigurationError(
            f"This process can listen at none of its addresses ({'; '.join(problems)}): use an address of this host "
            "and a port that no other process uses."
        )

    def _new_socket(self, *, is_authenticated: bool = False) -> RouterSocket:
        socket = RouterSocket(self._context, self._bind_spec.max_message_bytes, is_authenticated=is_authenticated)
        socket.socket.setsockopt(zmq.HANDSHAKE_IVL, self._bind_spec.handshake_ms)
        self._sockets.append(socket)
        return socket

    def close(self) -> None:
        """Stop listening."""
        self._remove_path()
        self.server.close()
        self._end_context()

    def _remove_path(self) -> None:
        """Remove the socket file, which libzmq leaves behind, so that no client tries to connect."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _end_context(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()

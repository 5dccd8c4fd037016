"""Resources of one transport, created at first use and closed together.

The composition root of this package: only this module reads the options.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import oslo_messaging
import zmq

from cells import exceptions
from cells.brokerless import addresses, curve, ipc, transport_url
from cells.brokerless.backlog import Backlog
from cells.brokerless.bound_server import BindSpec, BoundServer
from cells.brokerless.connections import Connections
from cells.brokerless.inbox import Inbox
from cells.brokerless.keys import KeyStore
from cells.brokerless.matchmaker import registry
from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.peers import DirectoryPeers, FixedPeers, Peers, RegisteredPeers
from cells.brokerless.router_socket import FRAME_BYTES
from cells.brokerless.sender import Sender
from cells.brokerless.server import Delivery
from cells.brokerless.shared import Shared

LOG = logging.getLogger(__name__)

#: They register no addresses.
LOCAL_MATCHMAKERS = ("localhost", "stub")
_MATCHMAKERS: Shared[MatchMakerBase] = Shared(lambda matchmaker: matchmaker.stop_heartbeat())
_BOUND_SERVERS: Shared[BoundServer] = Shared(BoundServer.close)
#: Serializes changes to the set of served keys, across all transports of the process.
_REGISTERING = threading.Lock()


class Resources:
    """Sender, server and MatchMaker of one transport URL.  Thread-safe.

    :param conf: options of ``[oslo_messaging_zmq]``, overridden by those of the URL
    """

    def __init__(self, conf: Any, url: oslo_messaging.TransportURL) -> None:
        """:raises cells.exceptions.ConfigurationError: the URL is wrong"""
        self._conf = conf
        self._options = conf.oslo_messaging_zmq
        self._endpoints = transport_url.endpoints(url)
        self._directory = transport_url.directory(url)
        self._lock = threading.RLock()
        self._is_closed = False
        #: called by close(), with values from the time of creation: options may have changed since
        self._releases: list[Callable[[], None]] = []
        self._matchmaker: MatchMakerBase | None = None
        self._sender: Sender | None = None
        self._backlog: Backlog | None = None
        self._bound_server: BoundServer | None = None

    def matchmaker(self) -> MatchMakerBase:
        """Return the MatchMaker of this process, with its heartbeat running."""
        with self._lock:
            if self._matchmaker is None:
                self._check_open()
                realm = self._realm()
                self._matchmaker = _MATCHMAKERS.acquire(realm, lambda: registry.load(self._conf))
                # Released before the server stops: a registered server must still listen.
                self._releases.insert(0, lambda: _MATCHMAKERS.release(realm))
                self._matchmaker.start_heartbeat()
            return self._matchmaker

    def sender(self) -> Sender:
        """Return the sender of messages."""
        sender = self._sender
        if sender is not None:
            return sender
        with self._lock:
            if self._sender is None:
                self._check_open()
                connections = Connections(self._prepare, self._options.max_connections, self._options.connect_timeout)
                self._sender = Sender(
                    peers=self._peers(),
                    connections=connections,
                    delivery_timeout_seconds=self._options.delivery_timeout,
                    max_message_bytes=self._options.max_message_bytes,
                )
            return self._sender

    def backlog(self) -> Backlog:
        """Return the sender of notifications."""
        with self._lock:
            if self._backlog is None:
                self._backlog = Backlog(self.sender(), self._options.notification_backlog_size)
            return self._backlog

    def bound_server(self) -> BoundServer:
        """Return the running server of this process.

        :raises cells.exceptions.ConfigurationError: the server cannot bind its addresses
        """
        with self._lock:
            if self._bound_server is None:
                self._check_open()
                bind_spec = self._bind_spec()
                self._bound_server = _BOUND_SERVERS.acquire(bind_spec, lambda: self._new_server(bind_spec))
                self._releases.append(lambda: _BOUND_SERVERS.release(bind_spec))
            return self._bound_server

    def serve(self, keys: Sequence[str], inbox: Inbox[Delivery], pool: str) -> Callable[[], None]:
        """Put messages for ``keys`` into ``inbox``; return a function that ends this, which may be called twice.

        :raises cells.exceptions.ConfigurationError: the server cannot bind its addresses
        """
        bound_server = self.bound_server()
        matchmaker = None if self._endpoints or self._directory else self.matchmaker()
        host = str(dataclasses.replace(bound_server.address, pool=pool))
        with _REGISTERING:
            for key in keys:
                # Register only the first listener of a key in this process, and unregister only the last.
                if bound_server.server.add(key, inbox, pool) and matchmaker is not None:
                    matchmaker.register(key, host)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._releases.remove(stop)
            with _REGISTERING:
                for key in keys:
                    if bound_server.server.remove(key, inbox, pool) and matchmaker is not None:
                        matchmaker.unregister(key, host)

        with self._lock:
            # Other transports of this process may go on listening after close().
            self._releases.insert(0, stop)
        return stop

    def close(self) -> None:
        """Close everything.  May be called twice; afterwards nothing can be opened."""
        with self._lock:
            self._is_closed = True
            backlog, self._backlog = self._backlog, None
            sender, self._sender = self._sender, None
            releases, self._releases = self._releases, []
            self._matchmaker = self._bound_server = None
        for opened in (backlog, sender):
            if opened is not None:
                opened.close()
        for release in releases:
            release()

    def _check_open(self) -> None:
        if self._is_closed:
            raise oslo_messaging.MessageDeliveryFailure("This transport was closed.")

    def _peers(self) -> Peers:
        if self._endpoints:
            return FixedPeers(self._endpoints)
        if self._directory is not None:
            return DirectoryPeers(self._directory)
        return RegisteredPeers(self.matchmaker(), DirectoryPeers(self._ipc_directory()))

    def _bind_spec(self) -> BindSpec:
        keys_dir = Path(self._options.keys_dir) if self._options.tcp_security == "curve" else None
        limit = self._options.max_message_bytes
        if self._endpoints:
            return BindSpec(
                "",
                limit,
                candidates=tuple(self._endpoints),
                keys_dir=keys_dir,
                neighbor_topics=self._neighbor_topics(),
            )
        if self._directory is not None:
            return BindSpec("", limit, directory=self._directory)
        bind = (addresses.read_bind(self._options.bind),) if self._options.bind else ()
        return BindSpec(
            self._realm(),
            limit,
            directory=self._ipc_directory(),
            candidates=bind,
            keys_dir=keys_dir if bind else None,
            neighbor_topics=self._neighbor_topics(),
        )

    def _new_server(self, bind_spec: BindSpec) -> BoundServer:
        is_registered = not self._endpoints and self._options.matchmaker not in LOCAL_MATCHMAKERS
        if is_registered and any(map(addresses.is_loopback, bind_spec.candidates)):
            LOG.warning(
                "[oslo_messaging_zmq] bind = %s is a loopback address, and this process registers it: processes on "
                "other machines would connect to themselves. Set an address that they can reach, or no bind.",
                self._options.bind,
            )
        return BoundServer(bind_spec)

    def _neighbor_topics(self) -> tuple[str, ...]:
        if self._options.neighbor_topics is not None:
            return tuple(self._options.neighbor_topics)
        # A service that is no manager has no group [cells].
        base = getattr(getattr(self._conf, "cells", None), "rpc_driver_queue_base", "cells.intercell")
        return (f"{base}.*",)

    def _ipc_directory(self) -> Path:
        return Path(self._options.ipc_dir) if self._options.ipc_dir else ipc.default_directory(self._conf)

    def _realm(self) -> str:
        """Return a text that identifies the registry: equal for all transports that use the same registry."""
        kept_in = self._options.matchmaker_connection or getattr(
            getattr(self._conf, "database", None), "connection", ""
        )
        return f"{self._options.matchmaker} {kept_in} {self._ipc_directory()}"

    def _prepare(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """Set the keys and limits of a client socket.  Called before each connection."""
        socket.setsockopt(zmq.MAXMSGSIZE, self._options.max_message_bytes + FRAME_BYTES)
        if not endpoint.startswith(addresses.TCP) or self._options.tcp_security != "curve":
            return
        try:
            curve.secure_client(socket, KeyStore(self._options.keys_dir), self._options.peer)
        except exceptions.CellsError as error:
            raise oslo_messaging.MessageDeliveryFailure(error.message) from error

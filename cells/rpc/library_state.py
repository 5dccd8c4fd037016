"""LibraryState: the transport and the client that the functions of :mod:`cells.rpc.api` share in a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import oslo_messaging
from oslo_config import cfg

from cells import exceptions
from cells.rpc.client import RPCClient, get_rpc_client
from cells.rpc.connection import STOP_SECONDS, Connection
from cells.transport import open_transport


class LibraryState:
    """The transport and its client, opened at their first use between ``init`` and ``cleanup``.  Thread-safe."""

    def __init__(self, open_one: Callable[..., Any] = open_transport) -> None:
        self._open = open_one
        self._lock = threading.Lock()
        self._conf: Any = None
        self._exception_modules: tuple[str, ...] = ()
        self._client: RPCClient | None = None
        self._connections: list[Connection] = []

    def init(self, conf: Any, exception_modules: Collection[str]) -> None:
        """Set the configuration of the transports.  No I/O.

        :raises cells.exceptions.ConfigurationError: the configuration is set already
        :raises cells.exceptions.InvalidArguments: an argument has a wrong type
        """
        if not isinstance(conf, cfg.ConfigOpts):
            raise exceptions.InvalidArguments(
                f"cells.rpc.init() takes a configuration of oslo.config, not {type(conf).__name__}."
            )
        if isinstance(exception_modules, str):
            raise exceptions.InvalidArguments("allowed_remote_exmods takes a list of modules, not a string.")
        with self._lock:
            if self._conf is not None:
                raise exceptions.ConfigurationError(
                    "cells.rpc is in use already: call cells.rpc.cleanup() before another cells.rpc.init(conf)."
                )
            self._conf, self._exception_modules = conf, tuple(exception_modules)

    def client(self) -> RPCClient:
        """Return the client that all functions share.

        :raises cells.exceptions.ConfigurationError: before ``init``, or the transport URL cannot be used
        """
        with self._lock:
            return self._shared_client()

    def connect(self, *, is_new: bool) -> Connection:
        """Return a connection with a transport of its own, or with the shared transport."""
        with self._lock:
            if is_new:
                own = self._new_transport()

                def close_own(closed: Connection) -> None:
                    own.cleanup()
                    self._forget(closed)

                connection = Connection(own, close_own)
            else:
                connection = Connection(self._shared_client().transport, self._forget)
            self._connections.append(connection)
        return connection

    def cleanup(self) -> None:
        """Close all connections, then the transport.  May be called twice."""
        with self._lock:
            connections, self._connections = self._connections, []
            client, self._client = self._client, None
            self._conf = None
        deadline = time.monotonic() + STOP_SECONDS
        for connection in connections:
            connection.close(max(0.0, deadline - time.monotonic()))
        if client is not None:
            client.transport.cleanup()

    def _shared_client(self) -> RPCClient:
        if self._client is None:
            self._client = get_rpc_client(self._new_transport(), oslo_messaging.Target())
        return self._client

    def _new_transport(self) -> Any:
        if self._conf is None:
            raise exceptions.ConfigurationError("cells.rpc has no configuration yet: call cells.rpc.init(conf) first.")
        return self._open(self._conf, exception_modules=self._exception_modules)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)

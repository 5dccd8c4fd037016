"""TreeCell: one cell of a tree, with its managers and services."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells.manager.lifecycle import CellsService
from cells.path import CellPath
from cells.rpc import RPCClient
from cells.transport import open_transport
from cells.transport.server import PromptServer

#: Timeout for methods of services that still run at the end of the tree.
STOP_TIMEOUT_SECONDS = 10.0


class TreeCell:
    """One cell, ``tree["az1"]``.  Made by :class:`cells.testing.CellTree`.

    ``path`` is its :class:`cells.path.CellPath`, ``conf`` the configuration of its
    first manager, and ``managers`` are the managers themselves.
    """

    def __init__(
        self, path: CellPath, conf: cfg.ConfigOpts, managers: Sequence[CellsService], exception_modules: Sequence[str]
    ) -> None:
        self.path = path
        self.conf = conf
        self.managers = list(managers)
        self._exception_modules = exception_modules
        self._transport: Any = None
        #: (topic, server)
        self._servers: list[tuple[str, Any]] = []

    @property
    def transport_url(self) -> str:
        """The URL of this cell's transport, for code that opens a transport itself."""
        url: str = self.conf.transport_url
        return url

    @property
    def transport(self) -> Any:
        """The transport of oslo.messaging that the services of this cell share, opened on first use.

        It serves purposes that :meth:`serve` and :meth:`client` do not cover: notifications, for example,
        or :class:`cells.rpcapi.CellsAPI`.
        """
        if self._transport is None:
            modules = ["cells.exceptions", *self._exception_modules]
            self._transport = open_transport(self.conf, exception_modules=modules)
        return self._transport

    def serve(self, topic: str, *endpoints: object, server: str = "server-1", serializer: Any = None) -> Any:
        """Start an ordinary RPC server of oslo.messaging in this cell; the tree stops it.

        :param topic: the topic that clients call
        :param endpoints: objects with methods; the attribute ``target`` of an object sets its namespace and version
        :param server: the name of the server, for clients that address it among several servers
        :param serializer: as that of ``oslo_messaging.get_rpc_server``
        :returns: the server, for a test that stops it earlier: ``server.stop(); server.wait()``
        """
        started = oslo_messaging.get_rpc_server(
            self.transport,
            oslo_messaging.Target(topic=topic, server=server),
            list(endpoints),
            serializer=serializer,
            server_cls=PromptServer,
            access_policy=rpc_dispatcher.DefaultRPCAccessPolicy,
        )
        started.start()
        self._servers.append((topic, started))
        return started

    def client(
        self, topic: str, *, namespace: str | None = None, version: str | None = None, **options: Any
    ) -> RPCClient:
        """Return a client of a service of this cell: it calls ``topic`` in this cell, or in ``prepare(cell=...)``.

        :param namespace: of the methods
        :param version: of the methods
        :param options: of :class:`cells.rpc.RPCClient`, for example ``timeout=2``
        """
        target = oslo_messaging.Target(topic=topic, namespace=namespace, version=version)
        return RPCClient(self.transport, target, **options)

    def start(self) -> None:
        """Start its managers."""
        for manager in self.managers:
            manager.start()

    def stop(self) -> None:
        """Stop its managers for good, so that other cells cannot reach it; its services go on.  May be called twice."""
        for manager in self.managers:
            manager.stop()

    def stop_services(self) -> None:
        """Stop the servers that :meth:`serve` has started.  May be called twice.

        :raises TimeoutError: a method of an endpoint still runs; the error names its topic and cell
        """
        servers, self._servers = self._servers, []
        waiting = []
        for topic, server in servers:
            server.stop()
            # The wait for running methods has no timeout of its own.
            thread = threading.Thread(target=server.wait, name=f"cells-testing-{topic}", daemon=True)
            thread.start()
            waiting.append((topic, thread))
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for topic, thread in waiting:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise TimeoutError(
                    f"A method of the service {topic} in cell {self.path} has not ended within "
                    f"{STOP_TIMEOUT_SECONDS:.0f} s of the end of the tree."
                )

    def close(self) -> None:
        """Close its transport, after all its users have stopped.  May be called twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()

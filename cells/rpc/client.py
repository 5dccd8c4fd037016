"""RPCClient: oslo.messaging's client of a service, which reaches services in other cells too.

::

    client = cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory", version="1.2"))
    client.call(ctxt, "count", kind="disk")                                # a server of this cell
    client.prepare(cell="api!east").call(ctxt, "count", kind="disk")       # a server of the cell east
    for cell, count in client.prepare(cells="down").multicall(ctxt, "count", kind="disk"):
        ...                                                                # servers of all cells below

Everything but ``cell``, ``cells`` and ``need`` means what it means in oslo.messaging.
"""

from __future__ import annotations

from typing import Any

import oslo_messaging

from cells.rpc.answers import Answers
from cells.rpc.call_context import ATTRIBUTES, UNCHANGED, CallContext, Where
from cells.rpc.manager_client import ManagerClient


class RPCClient:
    """A client of one service, in this cell and in others.  Thread-safe; a constructor does no I/O."""

    def __init__(  # noqa: PLR0913  # oslo.messaging's signature
        self,
        transport: Any,
        target: Any,
        timeout: float | None = None,
        version_cap: str | None = None,
        serializer: Any = None,
        retry: int | None = None,
        call_monitor_timeout: float | None = None,
        transport_options: Any = None,
        _manual_load: bool = False,  # oslo.messaging's factory names it
    ) -> None:
        """:param transport: from ``oslo_messaging.get_rpc_transport``; its ``allowed_remote_exmods`` hold for
            errors from other cells too
        :param target: an ``oslo_messaging.Target`` with the topic of the service
        :param timeout: seconds that a call waits, by default ``[DEFAULT] rpc_response_timeout``
        :param version_cap: no message needs a later version
        :param serializer: of contexts and entities; a serialized entity passes all cells on the way as it is
        :param retry: how often sending is tried again; None or -1: until the time is over
        :param call_monitor_timeout: seconds after which a call fails of which nobody says that it still runs
        :param transport_options: ``oslo_messaging.TransportOptions``
        """
        self._plain = oslo_messaging.get_rpc_client(
            transport,
            target,
            timeout=timeout,
            version_cap=version_cap,
            serializer=serializer,
            retry=retry,
            call_monitor_timeout=call_monitor_timeout,
            transport_options=transport_options,
        )
        self._context = CallContext(self._plain, ManagerClient(transport), {}, Where())

    def __getattr__(self, name: str) -> Any:
        """``conf``, ``transport``, ``target`` and the other attributes of oslo.messaging's own."""
        if name in ATTRIBUTES:
            return getattr(self.__dict__["_plain"], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def prepare(  # noqa: PLR0913  # oslo.messaging's signature
        self,
        exchange: Any = UNCHANGED,
        topic: Any = UNCHANGED,
        namespace: Any = UNCHANGED,
        version: Any = UNCHANGED,
        server: Any = UNCHANGED,
        fanout: Any = UNCHANGED,
        timeout: Any = UNCHANGED,
        version_cap: Any = UNCHANGED,
        retry: Any = UNCHANGED,
        call_monitor_timeout: Any = UNCHANGED,
        transport_options: Any = UNCHANGED,
        *,
        cell: Any = UNCHANGED,
        cells: Any = UNCHANGED,
        need: Any = UNCHANGED,
    ) -> CallContext:
        """What :meth:`call` and the others shall do differently, this time.

        :param cell: a full path from the top, a name that is unique in what the manager of this cell knows, or
            what :func:`cells.rpc.any_cell` gives; None: this cell, without its manager
        :param cells: ``"down"`` (this cell and all below), ``"up"`` (this one and all above), or a list of cells
        :param need: a multicall ends when so many cells have given a value
        :raises cells.exceptions.InvalidArguments: one of these three cannot be meant
        """
        return self._context.prepare(
            exchange,
            topic,
            namespace,
            version,
            server,
            fanout,
            timeout,
            version_cap,
            retry,
            call_monitor_timeout,
            transport_options,
            cell=cell,
            cells=cells,
            need=need,
        )

    def call(self, ctxt: Any, method: str, **kwargs: Any) -> Any:
        """Call a method of a server of this cell; see :meth:`CallContext.call`."""
        return self._context.call(ctxt, method, **kwargs)

    def cast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Cast a method of a server of this cell; see :meth:`CallContext.cast`."""
        self._context.cast(ctxt, method, **kwargs)

    def multicall(self, ctxt: Any, method: str, **kwargs: Any) -> Answers:
        """Call a method in many cells: :meth:`prepare` says which; see :meth:`CallContext.multicall`."""
        return self._context.multicall(ctxt, method, **kwargs)

    def broadcast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Publish an event in many cells: :meth:`prepare` says which; see :meth:`CallContext.broadcast`."""
        self._context.broadcast(ctxt, method, **kwargs)

    def can_send_version(self, version: Any = UNCHANGED) -> bool:
        """Whether the version cap lets a message of ``version`` pass, by default that of the target."""
        return self._context.prepare(version=version).can_send_version()


def get_rpc_client(transport: Any, target: Any, client_cls: type[RPCClient] = RPCClient, **kwargs: Any) -> RPCClient:
    """A client; the same as ``oslo_messaging.get_rpc_client``, and takes what :class:`RPCClient` takes."""
    return client_cls(transport, target, **kwargs)

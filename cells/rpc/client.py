"""RPCClient: oslo.messaging's client of a service, which also reaches services in other cells.

::

    client = cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory", version="1.2"))
    client.call(ctxt, "count", kind="disk")                                # a server of this cell
    client.prepare(cell="api!east").call(ctxt, "count", kind="disk")       # a server of the cell east
    for cell, count in client.prepare(cells="down").multicall(ctxt, "count", kind="disk"):
        ...                                                                # servers of all cells below

``cell``, ``cells`` and ``need`` are additions; all other arguments mean the same as in oslo.messaging.
"""

from __future__ import annotations

from typing import Any

import oslo_messaging

from cells.rpc.call_context import CallContext
from cells.rpc.manager_client import ManagerClient
from cells.rpc.where import Where


class RPCClient(CallContext):
    """Client of one service, in this cell and in others.  Thread-safe; the constructor does no I/O.

    Its methods call servers of this cell; those of the context that :meth:`prepare` returns call other cells.
    """

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
        """:param transport: from ``oslo_messaging.get_rpc_transport``; its ``allowed_remote_exmods`` also apply to
            errors from other cells
        :param target: an ``oslo_messaging.Target`` with the topic of the service
        :param timeout: of a call, in seconds; by default ``[DEFAULT] rpc_response_timeout``
        :param version_cap: the highest version that a message may need
        :param serializer: of contexts and entities; cells on the way forward a serialized entity unchanged
        :param retry: the number of retries of a send; None or -1: until the timeout
        :param call_monitor_timeout: a call fails after so many seconds without a heartbeat of its server
        :param transport_options: ``oslo_messaging.TransportOptions``
        """
        client = oslo_messaging.get_rpc_client(
            transport,
            target,
            timeout=timeout,
            version_cap=version_cap,
            serializer=serializer,
            retry=retry,
            call_monitor_timeout=call_monitor_timeout,
            transport_options=transport_options,
        )
        super().__init__(client, ManagerClient(transport), Where())


def get_rpc_client(transport: Any, target: Any, client_cls: type[RPCClient] = RPCClient, **kwargs: Any) -> RPCClient:
    """Return a client, as ``oslo_messaging.get_rpc_client`` does.

    :param kwargs: of :class:`RPCClient`
    """
    return client_cls(transport, target, **kwargs)

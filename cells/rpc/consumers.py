"""The servers of ``Connection.create_consumer``: oslo.messaging's own, for one topic and one proxy."""

from __future__ import annotations

import socket
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells.rpc.context import ContextSerializer, own_current
from cells.services import fanout
from cells.transport.server import PromptServer


class ProxyDispatcher(rpc_dispatcher.RPCDispatcher):  # type: ignore[misc]  # oslo.messaging has no types
    """Dispatcher to the public methods of a proxy: ``method(context, **args)`` with a CommonRpcContext.

    A ``target`` of the proxy sets its namespace and version, as with any endpoint of oslo.messaging.
    """

    def __init__(self, proxy: object) -> None:
        super().__init__([proxy], ContextSerializer(), rpc_dispatcher.DefaultRPCAccessPolicy)

    def dispatch(self, incoming: Any) -> Any:
        """Call the method of a message; the server calls this once per message, in a thread of its pool.

        Fan-out consumers get their messages on a topic of their own: the copy on this topic is dropped.
        """
        if fanout.MARK in incoming.message:
            return None
        with own_current():
            return super().dispatch(incoming)


def consumer(transport: Any, topic: str, proxy: object, *, is_fanout: bool) -> Any:
    """Return a server, not started.

    :raises TypeError: the ``target`` of the proxy is not an ``oslo_messaging.Target``
    """
    target = oslo_messaging.Target(
        topic=fanout.consumers_topic(topic) if is_fanout else topic,
        # The host, as with other services: brokers keep a queue for each server name that they have seen.
        server=socket.gethostname(),
    )
    return PromptServer(transport, target, ProxyDispatcher(proxy))

"""The servers behind ``Connection.create_consumer``: oslo.messaging's own, for one topic and one proxy."""

from __future__ import annotations

import socket
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells.rpc.context import ContextSerializer, own_current
from cells.services import fanout
from cells.transport.server import PromptServer


class ProxyDispatcher(rpc_dispatcher.RPCDispatcher):  # type: ignore[misc]  # oslo.messaging has no types
    """Calls the public methods of a proxy: ``method(context, **args)`` with a CommonRpcContext.

    A ``target`` of the proxy says which namespace and version it serves, as with any endpoint of oslo.messaging.
    """

    def __init__(self, proxy: object) -> None:
        super().__init__([proxy], ContextSerializer(), rpc_dispatcher.DefaultRPCAccessPolicy)

    def dispatch(self, incoming: Any) -> Any:
        """Called by the server, in a thread of its own, once per message.

        What is for fan-out consumers comes to them on their own topic: here its copy is nobody's.
        """
        if fanout.MARK in incoming.message:
            return None
        with own_current():
            return super().dispatch(incoming)


def consumer(transport: Any, topic: str, proxy: object, *, is_fanout: bool) -> Any:
    """A server that is not started yet.

    :raises TypeError: the proxy has a ``target`` that is no ``oslo_messaging.Target``
    """
    target = oslo_messaging.Target(
        topic=fanout.consumers_topic(topic) if is_fanout else topic,
        # The same for all here, as with other services: brokers keep a queue for each name that they have ever seen.
        server=socket.gethostname(),
    )
    return PromptServer(transport, target, ProxyDispatcher(proxy))

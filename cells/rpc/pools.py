"""The listeners behind ``create_worker`` and ``join_consumer_pool``: each pool gets each event of a topic once.

An event is a notification of oslo.messaging, which :mod:`cells.services.events` has
published.  It is confirmed after it was handled, so one that a worker dies of comes
to the next one of its pool; but what the handler raises is the end of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import oslo_messaging
from oslo_messaging import dispatcher
from oslo_messaging.notify import listener

from cells import exceptions
from cells.rpc.consumers import ProxyDispatcher
from cells.rpc.context import CommonRpcContext, own_current
from cells.rpc.service_message import check_name
from cells.services import envelope, events
from cells.transport.server import PromptStop

LOG = logging.getLogger(__name__)

#: Takes an event: the caller's context and ``{"method", "args"}``.
Handle = Callable[[Mapping[str, Any], dict[str, Any]], object]


class _Event(NamedTuple):
    """As a dispatcher of RPC wants its messages."""

    ctxt: Mapping[str, Any]
    message: dict[str, Any]
    client_timeout: None = None


class EventDispatcher(dispatcher.DispatcherBase):  # type: ignore[misc]  # oslo.messaging has no types
    """Opens the envelope of each event and hands it to ``handle``."""

    supported_priorities = (events.PRIORITY,)

    def __init__(self, pool: str, handle: Handle) -> None:
        """:param pool: as logs name it"""
        self._pool = pool
        self._handle = handle

    def dispatch(self, incoming: Any) -> None:
        """Called by the server, in a thread of its own, once per event.  Raises nothing."""
        try:
            message = _opened(incoming.message)
        except exceptions.CellsError as error:
            LOG.warning("An event for the pool %s is dropped: %s", self._pool, error)
            return
        try:
            self._handle(incoming.ctxt, message)
        except oslo_messaging.ExpectedException as error:
            LOG.debug("The pool %s expected that of %a: %s", self._pool, message["method"], error)
        except Exception as error:  # it is the end of this event, and of nothing else
            LOG.warning(
                "The event %.80a is lost to the pool %s: %s: %s",
                message["method"],
                self._pool,
                type(error).__name__,
                " ".join(str(error).split()),
            )
            LOG.debug("Where it failed:", exc_info=True)


def _opened(event: Any) -> dict[str, Any]:
    """:raises cells.exceptions.CellsError: it is no event, or in an envelope that cannot be read here"""
    message = envelope.deserialize_msg(event.get("payload") if isinstance(event, Mapping) else event)
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise exceptions.MalformedMessage(f"It is no message with a method, but {message!a:.80}.")
    if not isinstance(message.setdefault("args", {}), dict):
        raise exceptions.MalformedMessage(f"The args of {message['method']!a:.80} are no object.")
    return message


class PoolServer(PromptStop, listener.NotificationServerBase):  # type: ignore[misc]  # oslo.messaging has no types
    """One worker of a pool."""

    def _process_incoming(self, incoming: Any) -> None:
        """Called by the base class in a thread of the server's pool, with one event."""
        (message,) = incoming
        self.dispatcher.dispatch(message)
        try:
            message.acknowledge()
        except Exception as error:  # the broker is gone, and will send it again
            LOG.warning("An event could not be confirmed: %s: %s", type(error).__name__, error)


def queue_name(exchange: str, topic: str, pool_name: str) -> str:
    """What a broker knows a pool by.

    RabbitMQ has one queue per pool, whatever it listens to: pools of two topics must not have the same.

    :raises cells.exceptions.InvalidArguments: it would be too long
    """
    return check_name("The name of a pool, with its exchange and topic,", f"events/{exchange}/{topic}/{pool_name}")


def worker(transport: Any, exchange: str, topic: str, pool_name: str, proxy: object) -> Any:
    """A server that is not started yet, and calls the public methods of ``proxy``."""
    calls = ProxyDispatcher(proxy)
    return _server(transport, exchange, topic, pool_name, lambda ctxt, message: calls.dispatch(_Event(ctxt, message)))


def member(
    transport: Any, exchange: str, topic: str, pool_name: str, callback: Callable[[dict[str, Any]], object]
) -> Any:
    """A server that is not started yet, and calls ``callback`` with each message."""

    def handle(ctxt: Mapping[str, Any], message: dict[str, Any]) -> None:
        with own_current():
            CommonRpcContext.from_dict(ctxt).update_store()
            callback(message)

    return _server(transport, exchange, topic, pool_name, handle)


def _server(transport: Any, exchange: str, topic: str, pool_name: str, handle: Handle) -> Any:
    return PoolServer(
        transport,
        [oslo_messaging.Target(topic=topic, exchange=exchange)],
        EventDispatcher(f"{pool_name} of {topic}", handle),
        allow_requeue=False,
        pool=queue_name(exchange, topic, pool_name),
    )

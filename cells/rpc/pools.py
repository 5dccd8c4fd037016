"""The listeners of ``create_worker`` and ``join_consumer_pool``: each pool gets each event of a topic once.

An event is a notification of oslo.messaging, which :mod:`cells.services.events` publishes.
It is acknowledged after its handler has returned or raised an error.  So if a worker dies,
another worker of the pool gets the event; an error of the handler does not repeat it.
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
from cells.services import envelope, events
from cells.services.validation import want_name
from cells.transport.server import PromptStop

LOG = logging.getLogger(__name__)

#: Takes the caller's context and the event ``{"method", "args"}``.
Handle = Callable[[Mapping[str, Any], dict[str, Any]], object]


class _Event(NamedTuple):
    """An event in the form that a dispatcher of RPC takes."""

    ctxt: Mapping[str, Any]
    message: dict[str, Any]
    client_timeout: None = None


class EventDispatcher(dispatcher.DispatcherBase):  # type: ignore[misc]  # oslo.messaging has no types
    """Dispatcher that opens the envelope of each event and passes the event to ``handle``."""

    supported_priorities = (events.PRIORITY,)

    def __init__(self, pool: str, handle: Handle) -> None:
        """:param pool: the name of the pool in logs"""
        self._pool = pool
        self._handle = handle

    def dispatch(self, incoming: Any) -> None:
        """Handle one event; the server calls this in a thread of its pool.  Never raises."""
        try:
            message = _opened(incoming.message)
        except exceptions.CellsError as error:
            LOG.warning("An event for the pool %s is dropped: %s", self._pool, error)
            return
        try:
            self._handle(incoming.ctxt, message)
        except oslo_messaging.ExpectedException as error:
            LOG.debug("In the pool %s the method %a raised an expected error: %s", self._pool, message["method"], error)
        except Exception as error:  # the event is lost, the worker goes on
            LOG.warning(
                "The event %.80a is lost to the pool %s: %s: %s",
                message["method"],
                self._pool,
                type(error).__name__,
                " ".join(str(error).split()),
            )
            LOG.debug("Where it failed:", exc_info=True)


def _opened(event: Any) -> dict[str, Any]:
    """:raises cells.exceptions.CellsError: it is not an event, or its envelope is unreadable"""
    message = envelope.deserialize_msg(event.get("payload") if isinstance(event, Mapping) else event)
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise exceptions.MalformedMessage(f"An event must be a message with a method, not {message!a:.80}.")
    if not isinstance(message.setdefault("args", {}), dict):
        raise exceptions.MalformedMessage(f"The args of {message['method']!a:.80} must be an object.")
    return message


class PoolServer(PromptStop, listener.NotificationServerBase):  # type: ignore[misc]  # oslo.messaging has no types
    """Server of one worker of a pool."""

    def _process_incoming(self, incoming: Any) -> None:
        """Handle and acknowledge one event; the base class calls this in a thread of the pool."""
        (message,) = incoming
        self.dispatcher.dispatch(message)
        try:
            message.acknowledge()
        except Exception as error:  # the broker is down and redelivers the event
            LOG.warning(
                "An event could not be acknowledged, the broker will redeliver it: %s: %s", type(error).__name__, error
            )


def queue_name(exchange: str, topic: str, pool_name: str) -> str:
    """Return the name of a pool's queue on the broker.

    RabbitMQ has one queue per pool name, for all topics: pools of two topics must not share a name.

    :raises cells.exceptions.InvalidArguments: the name is too long
    """
    return want_name(f"events/{exchange}/{topic}/{pool_name}", "The name of a pool, with its exchange and topic,")


def worker(transport: Any, exchange: str, topic: str, pool_name: str, proxy: object) -> Any:
    """Return a server, not started, that calls the public methods of ``proxy``."""
    calls = ProxyDispatcher(proxy)
    return _server(transport, exchange, topic, pool_name, lambda ctxt, message: calls.dispatch(_Event(ctxt, message)))


def member(
    transport: Any, exchange: str, topic: str, pool_name: str, callback: Callable[[dict[str, Any]], object]
) -> Any:
    """Return a server, not started, that calls ``callback`` with each message."""

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

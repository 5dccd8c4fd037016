"""Functions on private attributes of oslo.messaging's transports and clients.

No other package names these attributes, so that a new release of oslo.messaging is checked against this one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import oslo_messaging
from oslo_messaging._drivers import common as rpc_common

from cells.transport.rabbitmq import count_consumers


def url_of(transport: Any) -> str:
    """Return the URL of a transport, with its password."""
    return str(transport._driver._url)


def connection_pool_of(transport: Any) -> Any:
    """Return the pool of connections to a broker; None: the driver has none."""
    return getattr(getattr(transport, "_driver", None), "_connection_pool", None)


def rebuild_failure(transport: Any, text: str) -> Exception:
    """Return the exception that a client of ``transport`` raises for the failure ``text`` of a server.

    :raises Exception: the text cannot be read
    """
    error: Exception = rpc_common.deserialize_remote_exception(text, transport._driver._allowed_remote_exmods)
    return error


def send(
    transport: Any, target: Any, context: Mapping[str, Any], message: Mapping[str, Any], retry: int | None
) -> None:
    """Send ``message`` as it is, without a client's envelope of method and arguments.

    :raises oslo_messaging.MessageDeliveryFailure: the broker did not take it
    """
    transport._send(target, dict(context), dict(message), retry=retry)


def send_to_listeners(
    transport: Any, target: Any, context: Mapping[str, Any], event: Mapping[str, Any], retry: int | None
) -> None:
    """Send a notification to the listeners that exist now.

    A notifier without a broker would keep the notification for later listeners, perhaps for ever.

    :raises oslo_messaging.MessageDeliveryFailure: the broker did not take it
    """
    send_now = getattr(transport._driver, "send_to_listeners", None)  # the brokerless driver of this project has it
    if send_now is None:
        send(transport, target, context, event, retry)
    else:
        send_now(target, dict(context), dict(event))


def consumers(transport: Any, queue: str) -> int | None:
    """Return how many consumers a queue has, 0 if it does not exist; None: the transport has no such queues.

    May block for as long as two attempts to connect.

    :raises Exception: of the library's own classes, if the broker is away
    """
    get_connection = getattr(transport._driver, "_get_connection", None)
    if get_connection is None:
        return None
    # Without a number of retries it would try without end, also after the transport is closed.
    with get_connection(rpc_common.PURPOSE_SEND, retry=1) as pooled:
        connection = pooled.connection
        with connection._connection_lock:
            return count_consumers(connection.connection, queue)


def possible_servers(transport: Any, topic: str, exchange: str | None) -> int:
    """Return how many servers of a topic a request may go to; 0 for a transport that does not know them.

    Without a broker, a server that has ended may count for a while.  May block while the transport connects.
    """
    count = getattr(transport._driver, "count_servers", None)  # the brokerless driver of this project has it
    if count is None:
        return consumers(transport, topic) or 0
    return int(count(oslo_messaging.Target(topic=topic, exchange=exchange)))


class _ExpiringTransport:
    """A transport whose messages expire in the broker's queue.

    An expired request must not run when its cell comes back.  A client of oslo.messaging hands the timeout of a call
    to its driver, which sets the expiration of the message; for a cast it has no such option.
    """

    def __init__(self, transport: Any, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    def _send(self, *arguments: Any, **options: Any) -> Any:
        """Called by the client."""
        return self._transport._send(*arguments, timeout=self._seconds, **options)


def expiring(client: Any, seconds: float) -> Any:
    """Return a copy of ``client`` whose casts expire after ``seconds``."""
    # prepare() takes ten times as long.
    copied = copy.copy(client)
    copied.transport = _ExpiringTransport(client.transport, seconds)
    return copied

"""Requests while the own cell's broker is down, frozen, or blocks its publishers: they fail within their timeout.

A client of oslo.messaging opens a queue for its replies, takes a connection from a pool, publishes, and waits for the
broker's confirmation.  The timeout of a call covers none of these steps: each may hang for minutes, or without an end.
The clients of a manager send within :meth:`RequestLimits.within`, on connections that obey a time limit.
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import Any

import oslo_messaging

from cells.transport import fork, heartbeat, internals, time_limit
from cells.transport import url as transport_url
from cells.transport.patches.base import Patch, names_in
from cells.transport.time_limit import SendTimeout


class Reachability(Patch):
    """The connections of a client obey the time limit of its requests."""

    name = "reachability"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, impl_rabbit, pool  # noqa: PLC0415  # slow to import

        driver, connection = amqpdriver.AMQPDriverBase, impl_rabbit.Connection
        return (
            {"_reply_q_lock", "_connection_pool", "_waiter"} <= names_in(driver.__init__)
            and {"_connection_lock", "interval_start", "interval_stepping", "interval_max", "kombu_reconnect_delay"}
            <= names_in(connection.__init__)
            and "recoverable_error_callback" in connection.ensure.__code__.co_varnames
            and {"connection", "max_retries", "_set_current_channel"} <= names_in(connection.ensure_connection)
            and "_transport_socket_timeout" in names_in(connection._publish)
            and {"_cond", "wait"} <= names_in(pool.Pool.get)
            and {"_monitor", "_workers_locks", "_workers_waiting", "_lock_acquired"}
            <= names_in(impl_rabbit.ConnectionLock.acquire)
        )


REACHABILITY = Reachability()


class RequestLimits:
    """The time limits of the requests over one transport.  Thread-safe.

    Drivers other than RabbitMQ's obey the timeout of a request by themselves.
    """

    def __init__(self, transport: Any) -> None:
        """Give ``transport`` connections that obey a limit, unless the patch is switched off.  No I/O.

        :param transport: of oslo.messaging; other clients of it work as before
        """
        self._transport = transport
        #: the process that may use the transport, once that is known
        self._process_id = 0
        driver = getattr(transport, "_driver", None)
        if not hasattr(driver, "_reply_q") or not REACHABILITY.is_active or REACHABILITY.is_disabled_by(transport.conf):
            self._is_limited = False
            return
        from cells.transport.patches import limited_connections  # noqa: PLC0415  # slow to import, for RabbitMQ only

        # A service may have opened the transport, with oslo.messaging's default.
        heartbeat.shorten(transport)
        limited_connections.install(driver)
        self._is_limited = True

    def within(self, seconds: float, send_seconds: float = math.inf) -> contextlib.AbstractContextManager[None]:
        """Limit the time of the request that this thread sends in the block.

        :param seconds: until the answer of a call
        :param send_seconds: until the broker has the request, if it is less
        :raises oslo_messaging.MessageDeliveryFailure: the broker has not taken the request in time, or the transport
            was used before this process was forked
        """
        process_id = os.getpid()
        if process_id != self._process_id:
            fork.check(self._transport, process_id)
            self._process_id = process_id
        return _Request(self._transport, seconds, send_seconds) if self._is_limited else _UNLIMITED


_UNLIMITED = contextlib.nullcontext()


class _Request(time_limit.limit):
    """The time limit of one request; a context manager."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any, seconds: float, send_seconds: float) -> None:
        super().__init__(seconds, send_seconds)
        self._transport = transport

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        error = raised[1]
        if isinstance(error, SendTimeout):
            broker = transport_url.mask(internals.url_of(self._transport))
            raise oslo_messaging.MessageDeliveryFailure(
                f"The broker {broker} has not taken a message within {min(self.seconds, self.send_seconds):.3g} "
                f"seconds: {error.reason}"
            ) from error

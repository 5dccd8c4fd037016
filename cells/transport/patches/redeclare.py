"""Consumers that find out by themselves that their exchange, or a binding of their queue, is gone.

RabbitMQ tells a consumer that its queue was deleted, and oslo.messaging then declares everything again.  It says
nothing about an exchange or a binding that an operator deleted, or that a restored definition lacks: the consumer waits
on, and no message arrives until its process is restarted.  A declaration changes nothing if all is there, so consumers
repeat it.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from cells.limited_log import LastingProblem
from cells.transport import internals
from cells.transport.patches.base import Patch, names_in

LOG = logging.getLogger(__name__)
#: one for all listeners, which have the same problem when their broker is away
_PROBLEM = LastingProblem(LOG)

#: A listener needs about 4 ms for its three queues, one exchange, one queue and one binding each.
INTERVAL_SECONDS = 10.0


class Redeclare(Patch):
    """The consumers of a server declare their exchanges, queues and bindings every ten seconds."""

    name = "redeclare"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, impl_rabbit, pool  # noqa: PLC0415  # slow to import

        connection, consumer = impl_rabbit.Connection, impl_rabbit.Consumer
        return (
            "connection_cls" in names_in(pool.ConnectionPool.create)
            and "_connection_pool" in names_in(amqpdriver.AMQPDriverBase._get_connection)
            and {"_consumers", "_new_tags", "_connection_lock"} <= names_in(connection.__init__)
            and {"recoverable_error_callback", "error_callback"} <= set(connection.ensure.__code__.co_varnames)
            and {"queue", "_declared_on"} <= names_in(consumer.declare)
        )


REDECLARE = Redeclare()


def apply_to(transport: Any) -> None:
    """Let the future listeners of ``transport`` declare again.  May be called twice; for RabbitMQ only.  No I/O."""
    pool = internals.connection_pool_of(transport)
    if pool is not None and REDECLARE.is_active and not hasattr(pool.connection_cls, "declare_again"):
        pool.connection_cls = listener_of(pool.connection_cls)


def listener_of(connection_class: Any) -> Any:
    """Return a subclass of oslo.messaging's connection to RabbitMQ for listeners."""

    class ListenerConnection(connection_class):  # type: ignore[misc]  # the library has no types
        """A connection whose consumers declare again from time to time, on the thread that reads."""

        _declared_at: float | None = None

        def consume(self, timeout: float | None = None) -> None:
            """Called by the listener, at least once a second."""
            now = time.monotonic()
            if self._declared_at is None:
                self._declared_at = now
            if now - self._declared_at >= INTERVAL_SECONDS:
                self._declared_at = now
                self.declare_again()
                # Messages that came meanwhile are with the listener: it must not wait for more before it takes them.
                return
            super().consume(timeout)

        def declare_again(self) -> None:
            """Declare everything that the consumers need.  Never raises: the next call of consume() reconnects."""

            def declare() -> None:
                for consumer in self._consumers:
                    if consumer._declared_on is self.channel:
                        consumer.queue.declare()

            def consume_again(_error: Exception) -> None:
                self._new_tags = set(self._consumers.values())

            try:
                with self._connection_lock:
                    self.ensure(
                        declare, retry=1, recoverable_error_callback=consume_again, error_callback=consume_again
                    )
            except Exception as error:  # oslo.messaging has logged the error of the connection
                text = "Queues and bindings could not be declared again: %s: %s"
                _PROBLEM.log(logging.WARNING, text, type(error).__name__, error)

    return ListenerConnection

"""Publishing on a neighbor's broker: nothing is declared there, and each message has its own error.

oslo.messaging declares the exchange of each message with the options of the sender.  The managers of the neighbor
declare the same exchange with their options.  If the two differ (durable or not), RabbitMQ refuses the second
declaration: a sender that comes first keeps the neighbor's managers from starting.

An unroutable message is returned by RabbitMQ, and then confirmed.  oslo.messaging does not wait for the confirmation,
so the next message on the connection can take it for its own.

A refused message (unknown exchange, no permission, too large) closes the channel, which py-amqp opens again.
oslo.messaging logs two errors about a connection that failed.
"""

from __future__ import annotations

from typing import Any

from cells.transport import internals
from cells.transport.attempts import Attempts
from cells.transport.patches.base import Patch, names_in
from cells.transport.patches.driver_log import for_link


class NeighborPublish(Patch):
    """Links publish on exchanges that they have not declared, and tell a refused message from a broken connection."""

    name = "neighbor_publish"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqp, amqpdriver, impl_rabbit, pool  # noqa: PLC0415  # slow to import

        connection = impl_rabbit.Connection
        return (
            "connection_cls" in names_in(pool.ConnectionPool.create)
            and "_connection_pool" in names_in(amqpdriver.AMQPDriverBase._get_connection)
            and {"passive", "declare"} <= names_in(connection._publish)
            and {"_publish", "_ensure_publishing"} <= names_in(connection.topic_send) & names_in(connection.fanout_send)
            and {"on_return", "_producer"} <= names_in(connection._set_current_channel)
            and amqp.AMQPDestinationNotFound.__name__ in names_in(connection.ensure)
        )


NEIGHBOR_PUBLISH = NeighborPublish()


def apply_to(transport: Any) -> None:
    """Let ``transport`` declare nothing on its broker; other drivers than RabbitMQ's declare nothing anyway.

    A message that the broker refuses then raises an exception with the broker's error as its ``__cause__``.
    """
    pool = internals.connection_pool_of(transport)
    if pool is not None and NEIGHBOR_PUBLISH.is_active:
        pool.connection_cls = sender_of(pool.connection_cls)


class _LinkLog:
    """Mix-in before a connection of the driver: the link reports its errors, with the name of the cell."""

    def ensure_connection(self) -> None:
        """Called when the connection is made, and by its heartbeats."""
        for_link(super().ensure_connection)  # type: ignore[misc]  # of the connection

    def ensure(self, *arguments: Any, **options: Any) -> Any:
        """Called for each message; connects again if necessary."""
        return for_link(super().ensure, *arguments, **options)  # type: ignore[misc]  # of the connection


def sender_of(connection_class: Any) -> Any:
    """Return a subclass of oslo.messaging's connection to RabbitMQ for senders."""
    import amqp  # type: ignore[import-untyped]  # noqa: PLC0415  # the driver has imported it
    import oslo_messaging  # noqa: PLC0415
    from oslo_messaging._drivers.amqp import AMQPDestinationNotFound  # noqa: PLC0415

    from cells.transport.errors import is_refusal  # noqa: PLC0415

    #: the second one: py-amqp before 5.4
    unwritten = (amqp.RecoverableConnectionError, amqp.RecoverableChannelError)

    class SenderConnection(_LinkLog, connection_class):  # type: ignore[misc]  # the library has no types
        """A connection that only publishes."""

        _returned: Exception | None = None

        def _publish(self, exchange: Any, message: Any, *arguments: Any, **options: Any) -> None:
            """Called for each message, and again for it after a reconnection."""
            self._returned = None
            exchange.passive = True
            attempts = Attempts.current()
            if attempts is not None:
                message = attempts.renewed(message)
            try:
                super()._publish(exchange, message, *arguments, **options)
            except Exception as error:
                if is_refusal(error):
                    # The only exception that the caller passes on without taking the connection for broken.
                    raise AMQPDestinationNotFound(str(error)) from error
                # py-amqp names its method in an error if the message was not written to the end.
                is_unwritten = isinstance(error, unwritten) and "basic_publish" in str(error)
                if attempts is not None and not is_unwritten:
                    attempts.was_interrupted = True
                if isinstance(error, amqp.RecoverableChannelError):
                    # kombu would publish on this connection again, perhaps in the middle of a frame.
                    raise amqp.RecoverableConnectionError(str(error)) from error
                raise
            if self._returned is not None:
                raise self._returned

        def on_return(self, exception: Any, exchange: str, routing_key: str, message: Any) -> None:
            """Called before the message is confirmed."""
            self._returned = oslo_messaging.MessageUndeliverable(exception, exchange, routing_key, message)

    return SenderConnection

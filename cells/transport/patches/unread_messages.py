"""Messages that RabbitMQ has delivered to a server that stops: they go back to the broker.

The listener of oslo.messaging would read them while its connection is closed, acknowledge them and lose them.  It has
no public way to return them, so this module replaces the callbacks of its consumers.
"""

from __future__ import annotations

import logging
from typing import Any

from cells.transport.patches.base import Patch, names_in

LOG = logging.getLogger(__name__)


class UnreadMessages(Patch):
    """A server that stops returns unread messages to RabbitMQ, which delivers them to another manager."""

    name = "unread_messages"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, base, impl_rabbit  # noqa: PLC0415  # slow to import

        return (
            "_poll_style_listener" in names_in(base.PollStyleListenerAdapter.__init__)
            and "conn" in names_in(amqpdriver.AMQPListener.__init__)
            and "_consumers" in names_in(impl_rabbit.Connection.__init__)
            and "callback" in names_in(impl_rabbit.Consumer.__init__)
            and callable(impl_rabbit.Consumer.cancel)
        )


UNREAD_MESSAGES = UnreadMessages()


def give_back(listener: Any) -> None:
    """Return the unread messages of a stopped listener to its broker; other drivers than RabbitMQ's need no return."""
    context = getattr(getattr(listener, "_poll_style_listener", None), "conn", None)
    consumers = getattr(getattr(context, "connection", None), "_consumers", None)
    if not consumers or not UNREAD_MESSAGES.is_active:
        return
    for consumer in consumers:
        consumer.callback = _requeue
    for consumer, tag in consumers.items():
        try:
            consumer.cancel(tag)
        except Exception as problem:  # a broker that closed the connection has its messages back already
            LOG.debug("A consumer could not be cancelled: %s: %s", type(problem).__name__, problem)


def _requeue(message: Any) -> None:
    message.requeue()

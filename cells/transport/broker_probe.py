"""Questions to a broker about its queues, its exchanges and the permissions of a user, each with a bounded wait.

Each question uses a channel of its own, because RabbitMQ closes a channel when it refuses something.  No question
changes a queue that servers use: what is created for a question has a random name and is deleted.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import amqp  # type: ignore[import-untyped]  # it has none

from cells.transport.configured_queues import ConfiguredQueue
from cells.transport.declaring import EXPIRES_MILLISECONDS

#: The permissions of RabbitMQ.
CONFIGURE, WRITE, READ = "configure", "write", "read"


class QueueCounts(NamedTuple):
    """Messages that wait in a queue, and its consumers."""

    messages: int
    consumers: int


class BrokerProbe:
    """Questions over one connection.  Each raises OSError or ``amqp.AMQPError`` if the broker does not answer."""

    def __init__(self, connection: Any, timeout_seconds: float) -> None:
        """:param connection: an ``amqp.Connection`` that has logged in
        :param timeout_seconds: of the confirmation of a message
        """
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        #: why the broker takes no messages now, by its own account; empty: it has not said so
        self.blocked = ""
        connection.on_blocked = self._note_block

    def _note_block(self, reason: Any) -> None:
        self.blocked = str(reason) or "no reason"

    def queue(self, name: str) -> QueueCounts | None:
        """Return the counts of a queue; None: there is no such queue."""
        with self._channel() as channel, contextlib.suppress(amqp.NotFound):
            found = channel.queue_declare(queue=name, passive=True)
            return QueueCounts(int(found.message_count), int(found.consumer_count))
        return None

    def has_exchange(self, name: str) -> bool:
        """Return whether there is an exchange of that name."""
        with self._channel() as channel, contextlib.suppress(amqp.NotFound):
            channel.exchange_declare(name, "topic", passive=True)
            return True
        return False

    def refusal_of(self, queue: ConfiguredQueue) -> Exception | None:
        """Return the error with which the broker refuses the declaration of a queue that exists; None: it accepts it.

        It is ``amqp.PreconditionFailed`` if the queue has other properties, and ``amqp.AccessRefused`` if this user may
        not configure it.
        """
        with self._channel() as channel:
            try:
                channel.queue_declare(
                    queue.name,
                    durable=queue.durable,
                    auto_delete=queue.auto_delete,
                    arguments=dict(queue.arguments),
                )
            except (amqp.PreconditionFailed, amqp.AccessRefused, amqp.ResourceLocked) as error:
                refusal: Exception = error
                return refusal
        return None

    def may_read(self, queue: str) -> bool:
        """Return whether this user may consume from an empty queue.  A message that arrives meanwhile is put back."""
        return self._is_permitted(lambda channel: _look_into(channel, queue))

    def may_write(self, exchange: str, topic: str) -> bool:
        """Return whether this user may publish to an exchange.  No queue gets the message.

        If the broker blocks publishers, :attr:`blocked` has its reason, and the result is True.

        :param topic: start of the routing key, which permissions may limit
        :raises amqp.NotFound: there is no such exchange
        """
        message = amqp.Message("")

        def publish(channel: Any) -> None:
            try:
                channel.basic_publish_confirm(
                    message, exchange, f"{topic}.check.{uuid.uuid4().hex}", confirm_timeout=self._timeout_seconds
                )
            except TimeoutError:
                if not self.blocked:
                    raise

        return self._is_permitted(publish)

    def may_declare(self, exchange: str, *, durable: bool, auto_delete: bool) -> bool:
        """Return whether this user may declare an exchange, which exists; one with other properties counts, too."""

        def declare(channel: Any) -> None:
            with contextlib.suppress(amqp.PreconditionFailed):
                channel.exchange_declare(exchange, "topic", durable=durable, auto_delete=auto_delete)

        return self._is_permitted(declare)

    def may_create(self, prefix: str) -> bool:
        """Return whether this user may create a queue whose name begins with ``prefix``."""
        name = f"{prefix}{uuid.uuid4().hex}"

        def create(channel: Any) -> None:
            # Exclusive: where the broker permits no transient queues, it still permits these.
            arguments = {"x-expires": EXPIRES_MILLISECONDS}
            channel.queue_declare(name, exclusive=True, auto_delete=False, arguments=arguments)
            channel.queue_delete(name)

        return self._is_permitted(create)

    def _is_permitted(self, work: Callable[[Any], object]) -> bool:
        with self._channel() as channel:
            try:
                work(channel)
            except amqp.AccessRefused:
                return False
        return True

    @contextlib.contextmanager
    def _channel(self) -> Iterator[Any]:
        channel = self._connection.channel()
        try:
            yield channel
        finally:
            if channel.is_open and not self.blocked:
                channel.close()


def _look_into(channel: Any, queue: str) -> None:
    found = channel.basic_get(queue)
    if found is not None:
        channel.basic_reject(found.delivery_tag, requeue=True)

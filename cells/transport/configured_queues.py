"""The queues of a topic as this cell's configuration declares them, for a comparison with those that a broker holds.

AMQP does not show the type and the arguments of a queue.  A declaration with the configured ones succeeds if they are
the same, and fails with 406 otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from oslo_messaging._drivers import impl_rabbit

#: Attributes of the library's connection that its declaration of a topic reads, and that are options.
_OPTIONS = ("amqp_auto_delete", "rabbit_ha_queues", "rabbit_quorum_queue", "enable_cancel_on_failover")


@dataclass(frozen=True)
class ConfiguredQueue:
    """A queue, and the properties with which a server declares it."""

    name: str
    durable: bool
    auto_delete: bool
    arguments: Mapping[str, Any]


def of_topic(transport: Any, topic: str, server: str = "") -> ConfiguredQueue:
    """Return the queue of a topic, or of one of its servers, as oslo.messaging would declare it.  No I/O.

    :param transport: one of RabbitMQ
    """
    settings = transport._driver.conf.oslo_messaging_rabbit
    declared: list[Any] = []
    # The library computes the properties in a method of its connection, which would connect first.
    connection = SimpleNamespace(
        **{name: getattr(settings, name) for name in _OPTIONS},
        durable=settings.amqp_durable_queues or settings.rabbit_quorum_queue,
        declare_consumer=declared.append,
    )
    connection.rabbit_quorum_queue_config = impl_rabbit.Connection._get_quorum_configurations(connection, settings)
    name = f"{topic}.{server}" if server else topic
    impl_rabbit.Connection.declare_topic_consumer(connection, "", name)
    (consumer,) = declared
    return ConfiguredQueue(
        consumer.queue_name, bool(consumer.durable), bool(consumer.queue_auto_delete), dict(consumer.queue_arguments)
    )

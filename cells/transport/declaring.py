"""Queues and exchanges that the broker refuses: found before a server starts, and told in terms of options.

oslo.messaging answers some refusals with other declarations, and some by a new connection, without end.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
from oslo_messaging._drivers import common as rpc_common

from cells.transport.errors import causes

#: RabbitMQ's name for queues that are neither durable nor exclusive, in its refusal
_TRANSIENT_QUEUES = "transient_nonexcl_queues"
_INEQUIVALENT = re.compile(r"inequivalent arg '(?P<property>[^']*)' for (?P<kind>queue|exchange) '(?P<name>[^']*)'")
#: property of a queue or exchange -> options of [oslo_messaging_rabbit] that set it
_OPTIONS_OF = {
    "durable": "amqp_durable_queues, rabbit_quorum_queue and rabbit_transient_quorum_queue",
    "auto_delete": "amqp_auto_delete",
    "x-queue-type": "rabbit_quorum_queue, rabbit_transient_quorum_queue and rabbit_stream_fanout",
    "x-expires": "rabbit_transient_queues_ttl",
    "x-max-age": "rabbit_transient_queues_ttl",
}
_ALL_OPTIONS = "amqp_durable_queues, amqp_auto_delete, rabbit_quorum_queue and rabbit_transient_quorum_queue"
#: RabbitMQ deletes the queue of the check so soon if the check breaks off.
EXPIRES_MILLISECONDS = 10_000


def check(transport: Any, topic: str, exchange: str | None = None) -> None:
    """Declare what servers of ``transport`` would declare, apart from their queues.  Does nothing without RabbitMQ.

    :param topic: start of the name of a transient queue that is declared and deleted
    :param exchange: by default that of ``transport``
    :raises amqp.InternalError: the broker permits no transient queues
    :raises amqp.PreconditionFailed: the exchange exists, and is of the wrong kind for the servers' queues
    :raises Exception: as at the start of a server: the broker cannot be reached
    """
    driver = transport._driver
    if not hasattr(driver, "_connection_pool"):
        return
    options = driver.conf.oslo_messaging_rabbit
    # This purpose gets a connection that is closed afterwards; others stay in the pool of the transport.
    with driver._get_connection(rpc_common.PURPOSE_LISTEN) as opened:
        # One without the library's retries: the broker closes it after some refusals.
        connection = opened.connection.connection.clone()
    with connection:
        if not (_has_durable_topics(options) and options.rabbit_transient_quorum_queue):
            _declare_transient_queue(connection, topic)
        if not _has_durable_topics(options):
            return
        try:
            _declare_durable_exchange(connection, exchange or driver._default_exchange, options)
        except amqp.PreconditionFailed:
            # oslo.messaging goes on with transient queues on a transient exchange.
            if options.rabbit_quorum_queue:
                raise
            _declare_transient_queue(connection, topic)


def refusal(error: BaseException) -> str | None:
    """Return why the broker works, but refuses a queue or an exchange of this cell, and which options to change.

    None: the error has another reason.
    """
    for seen in causes(error):
        if isinstance(seen, amqp.InternalError) and _TRANSIENT_QUEUES in str(seen):
            return (
                "The broker permits no transient queues: set rabbit_quorum_queue = true and "
                "rabbit_transient_quorum_queue = true in [oslo_messaging_rabbit], here and in all services of this cell"
            )
        if isinstance(seen, amqp.PreconditionFailed):
            found = _INEQUIVALENT.search(str(seen))
            if found is None:
                return f"The broker refuses a queue: {' '.join(str(seen).split())}"
            return (
                f"The {found['kind']} {found['name']} exists on the broker with another value of {found['property']}: "
                f"set {_OPTIONS_OF.get(found['property'], _ALL_OPTIONS)} in [oslo_messaging_rabbit] to the same values "
                f"here and in all services of this cell, or stop these and delete the {found['kind']}"
            )
    return None


def _has_durable_topics(options: Any) -> bool:
    return bool(options.amqp_durable_queues or options.rabbit_quorum_queue)


def _declare_transient_queue(connection: Any, topic: str) -> None:
    name = f"{topic}.check.{uuid.uuid4().hex}"
    with connection.channel() as channel:
        try:
            arguments = {"x-expires": EXPIRES_MILLISECONDS}
            channel.queue_declare(name, durable=False, auto_delete=False, arguments=arguments)
            channel.queue_delete(name)
        except amqp.AccessRefused:
            # The permissions of this user name each of its queues: the servers will show what the broker permits.
            return


def _declare_durable_exchange(connection: Any, name: str, options: Any) -> None:
    with connection.channel() as channel:
        channel.exchange_declare(name, "topic", durable=True, auto_delete=options.amqp_auto_delete)

"""RabbitMQ's shovel: the time in which the broker itself moves messages between two virtual hosts.

It is the unit of the relay.  The shovel acknowledges a message after the target has confirmed
it, so that no message is lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from bench.broker_queue import opened
from tools.broker_node import BrokerNode

PLUGIN = "rabbitmq_shovel"
#: The virtual hosts at both ends.
SOURCE, TARGET = "shovel-source", "shovel-target"
PREFETCH = 1000


def rate(node: BrokerNode, texts: Sequence[str]) -> float:
    """Return the messages per second, from the first message taken until all wait at the target."""
    name = f"shovel-{secrets.token_hex(4)}"
    with opened(node.url(SOURCE), name) as source, opened(node.url(TARGET), name) as target:
        source.declare()
        target.declare()
        source.fill(texts)
        node.control("set_parameter", "-p", SOURCE, "shovel", name, json.dumps(_shovel(node, name)))
        try:
            # The command returns shortly after the shovel has started: do not count the messages moved before.
            started_at = source.wait_until_taken_from(len(texts))
            already = target.count()
            ended_at = target.wait_for(len(texts))
        finally:
            node.control("clear_parameter", "-p", SOURCE, "shovel", name)
            target.purge()
    return (len(texts) - already) / (ended_at - started_at)


def _shovel(node: BrokerNode, queue: str) -> dict[str, object]:
    return {
        "src-protocol": "amqp091",
        "src-uri": node.url(SOURCE, "amqp"),
        "src-queue": queue,
        "src-prefetch-count": PREFETCH,
        "dest-protocol": "amqp091",
        "dest-uri": node.url(TARGET, "amqp"),
        "dest-queue": queue,
        "ack-mode": "on-confirm",
    }

"""RabbitMQ's shovel: what the broker itself needs to move messages from one virtual host to another.

The unit of the relay.  It acknowledges what the other side has confirmed, as whoever
must not lose a message has it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from bench.broker_queue import opened
from tools.broker_node import BrokerNode

PLUGIN = "rabbitmq_shovel"
#: The two virtual hosts.
SOURCE, TARGET = "shovel-source", "shovel-target"
PREFETCH = 1000


def rate(node: BrokerNode, texts: Sequence[str]) -> float:
    """Messages per second, from the first that is taken until all wait on the other side."""
    name = f"shovel-{secrets.token_hex(4)}"
    with opened(node.url(SOURCE), name) as source, opened(node.url(TARGET), name) as target:
        source.declare()
        target.declare()
        source.fill(texts)
        node.control("set_parameter", "-p", SOURCE, "shovel", name, json.dumps(_shovel(node, name)))
        try:
            # The command returns a moment after the shovel has begun: what it has moved by then does not count.
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

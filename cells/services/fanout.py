"""Fan-out: a message for every server of a topic.

An oslo.messaging server of a topic receives both the messages for one server and the fan-outs.
A consumer of fan-outs alone listens on a separate topic.  So a fan-out goes to both topics, and
the copy on the plain topic has a mark, by which consumers without fan-outs ignore it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cells.transport import internals

#: Key of the message that marks the copy on the plain topic; oslo.messaging servers ignore the key.
MARK = "cells.fanout"


def consumers_topic(topic: str) -> str:
    """Return the topic of the consumers that receive only the fan-outs of ``topic``."""
    return f"{topic}.fanout-consumers"


def cast_to_all(
    transport: Any, target: Any, context: Mapping[str, Any], message: Mapping[str, Any], retry: int | None = None
) -> None:
    """Send a message to all servers and all fan-out consumers of a topic.  A topic without any is no error.

    :param target: an ``oslo_messaging.Target`` with topic and exchange
    :param message: ``{"method", "args"}`` with optional ``namespace`` and ``version``
    :param retry: as everywhere in oslo.messaging
    :raises oslo_messaging.MessageDeliveryFailure: the broker did not accept the message
    """
    for topic, text in ((target.topic, {**message, MARK: True}), (consumers_topic(target.topic), dict(message))):
        internals.send(transport, target(topic=topic, server=None, fanout=True), context, text, retry)

"""A message for every server of a topic.

oslo.messaging's server of a topic hears what is for one of the servers and what is for all.
A consumer that shall hear fan-outs alone listens on a topic of its own; so a fan-out goes
to both, and the copy on the topic itself has a mark for consumers that shall not hear any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A key of the message, which servers of oslo.messaging ignore.
MARK = "cells.fanout"


def consumers_topic(topic: str) -> str:
    """Where consumers listen that take the fan-outs of ``topic`` alone."""
    return f"{topic}.fanout-consumers"


def cast_to_all(
    transport: Any, target: Any, context: Mapping[str, Any], message: Mapping[str, Any], retry: int | None = None
) -> None:
    """Send to all servers, and to all fan-out consumers, of a topic.  That there are none is no error.

    :param target: an ``oslo_messaging.Target`` with topic and exchange
    :param message: ``{"method", "args"}`` and, if it has them, ``namespace`` and ``version``
    :param retry: as everywhere in oslo.messaging
    :raises oslo_messaging.MessageDeliveryFailure: the broker did not take it
    """
    for topic, text in ((target.topic, {**message, MARK: True}), (consumers_topic(target.topic), dict(message))):
        transport._send(target(topic=topic, server=None, fanout=True), dict(context), text, retry=retry)

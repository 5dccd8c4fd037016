"""Events: messages of which each consumer pool of a topic gets one copy.

They are notifications of oslo.messaging, so its own notification listeners hear them too:
``event_type`` is the method, ``payload`` the message in its envelope.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from oslo_utils import timeutils

from cells.services import envelope

#: All events have the same one; each has its own topic in oslo.messaging.
PRIORITY = "info"


def pool_topic(topic: str) -> str:
    """What the pools of ``topic`` are bound to."""
    return f"{topic}.{PRIORITY}"


def publish(  # noqa: PLR0913  # two of them by keyword
    transport: Any,
    target: Any,
    context: Mapping[str, Any],
    message: Mapping[str, Any],
    *,
    publisher: str,
    retry: int | None = None,
) -> None:
    """Give an event to each pool of a topic that there is.

    :param target: an ``oslo_messaging.Target`` with topic and exchange
    :param message: ``{"method", "args"}``
    :param retry: as everywhere in oslo.messaging
    :raises oslo_messaging.MessageDeliveryFailure: the broker did not take it
    """
    event = {
        "message_id": str(uuid.uuid4()),
        "publisher_id": publisher,
        "timestamp": str(timeutils.utcnow()),
        "priority": PRIORITY.upper(),
        "event_type": message["method"],
        "payload": envelope.serialize_msg(message),
    }
    target = target(topic=pool_topic(target.topic), server=None, fanout=None)
    # A notifier would keep it for pools to come, in a queue or in memory, where perhaps nobody ever reads it.
    send_to_listeners = getattr(transport._driver, "send_to_listeners", None)
    if send_to_listeners is not None:
        send_to_listeners(target, dict(context), event)
    else:
        transport._send(target, dict(context), event, retry=retry)

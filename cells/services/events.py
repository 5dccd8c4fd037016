"""Events: each consumer pool of a topic gets one copy of each event.

An event is a notification of oslo.messaging, so notification listeners receive it too:
``event_type`` is the method, ``payload`` the message in its envelope.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from oslo_utils import timeutils

from cells.services import envelope
from cells.transport import internals

#: Priority of all events; oslo.messaging has one topic per priority.
PRIORITY = "info"


def pool_topic(topic: str) -> str:
    """Return the notification topic that the pools of ``topic`` are bound to."""
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
    """Send an event to each existing pool of a topic.

    :param target: an ``oslo_messaging.Target`` with topic and exchange
    :param message: ``{"method", "args"}``
    :param retry: as everywhere in oslo.messaging
    :raises oslo_messaging.MessageDeliveryFailure: the broker did not accept the event
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
    # Not with oslo.messaging's Notifier: it would keep the event for future pools, in a queue that may have no reader.
    internals.send_to_listeners(transport, target, context, event, retry)

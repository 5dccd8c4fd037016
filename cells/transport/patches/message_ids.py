"""The ids of received messages, by which a listener recognizes a message that RabbitMQ delivers again.

If a connection breaks, RabbitMQ delivers all messages again that it has delivered in advance and whose acknowledgment
it has not read: up to ``rabbit_qos_prefetch_count``.  A listener of oslo.messaging remembers 16 ids, so with a larger
count a message runs twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from cells.transport.patches.base import Patch, names_in

#: Above any sensible prefetch count; without a limit for it, the broker delivers a long queue in advance.
MAX_IDS = 4096


class MessageIds(Patch):
    """A listener recognizes the last 4,096 messages, with any prefetch count."""

    name = "message_ids"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqp, amqpdriver  # noqa: PLC0415  # slow to import

        cache = amqp._MsgIdCache
        return (
            names_in(cache.check_duplicate_message) >= {"UNIQUE_ID", "DuplicateMessageError", "prev_msgids"}
            and names_in(cache.add) == {"prev_msgids", "append"}
            and "_MsgIdCache" in names_in(amqpdriver.AMQPListener.__init__)
        )

    def _install(self) -> None:
        from oslo_messaging._drivers import amqp  # noqa: PLC0415

        class LongCache(amqp._MsgIdCache):  # type: ignore[misc]  # oslo.messaging has no types
            """oslo.messaging's class with other storage: its deque is searched from end to end for each message."""

            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self.prev_msgids: OrderedDict[str, None] = OrderedDict()

            def add(self, msg_id: str | None) -> None:
                if msg_id:
                    self.prev_msgids[msg_id] = None
                    if len(self.prev_msgids) > MAX_IDS:
                        self.prev_msgids.popitem(last=False)

        amqp._MsgIdCache = LongCache


MESSAGE_IDS = MessageIds()

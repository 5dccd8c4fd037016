"""Where a client waits for the answer to a call: on which queue of its broker, and as the answer to which request.

oslo.messaging gives each client a queue for answers, and tells its name to the server with every request.
Whoever can send to that broker can answer in the server's place.
"""

from __future__ import annotations

from typing import NamedTuple

SEPARATOR = "@"
#: Of the name of a queue, in AMQP.
MAX_QUEUE_LENGTH = 255
#: What oslo.messaging's names of such queues start with: nothing that comes from elsewhere names another one.
QUEUE_PREFIX = "reply_"


class ReplyAddress(NamedTuple):
    """The place where one answer is waited for."""

    request_id: str
    queue: str

    def __str__(self) -> str:
        return f"{self.request_id}{SEPARATOR}{self.queue}"

    @classmethod
    def parse(cls, text: str) -> ReplyAddress | None:
        """The address that :meth:`__str__` has written; None if it is none."""
        request_id, _, queue = text.partition(SEPARATOR)
        is_queue = queue.startswith(QUEUE_PREFIX) and queue.isascii() and len(queue) <= MAX_QUEUE_LENGTH
        return cls(request_id, queue) if is_queue and request_id.isalnum() else None

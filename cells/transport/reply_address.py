"""The address of the reply to a call: a queue of the client's broker, and the id of the request.

oslo.messaging gives each client a queue for replies, and sends its name to the server with every request.
Any process that can send to that broker can reply in place of the server.
"""

from __future__ import annotations

from typing import NamedTuple

SEPARATOR = "@"
#: limit of AMQP for the name of a queue
MAX_QUEUE_LENGTH = 255
#: Start of oslo.messaging's names for such queues: an address from another cell cannot name any other queue.
QUEUE_PREFIX = "reply_"


class ReplyAddress(NamedTuple):
    """The address of one reply."""

    request_id: str
    queue: str

    def __str__(self) -> str:
        return f"{self.request_id}{SEPARATOR}{self.queue}"

    @classmethod
    def parse(cls, text: str) -> ReplyAddress | None:
        """Return the address that :meth:`__str__` has written; None if ``text`` is no address."""
        request_id, _, queue = text.partition(SEPARATOR)
        is_queue = queue.startswith(QUEUE_PREFIX) and queue.isascii() and len(queue) <= MAX_QUEUE_LENGTH
        return cls(request_id, queue) if is_queue and request_id.isalnum() else None

"""Replies put on the queue on which a client of RabbitMQ waits for them, in place of its server.

oslo.messaging gives each client a queue for replies, and sends its name to the server with every request.  A server
replies through the request, which only that server has: it puts an object with ``result``, ``failure``, ``ending`` and
the id of the request on the client's queue.  This module has oslo.messaging's driver for RabbitMQ send the same object.
Any process that can send to that broker can reply in place of the server.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, NamedTuple

import oslo_messaging
from oslo_messaging._drivers import common as rpc_common

from cells.transport.patches.base import Patch, texts_in
from cells.transport.rabbitmq import MAX_NAME_BYTES

SEPARATOR = "@"
#: Start of oslo.messaging's names for such queues: an address from another cell cannot name any other queue.
QUEUE_PREFIX = "reply_"
#: Without a client, the queue is missing; the broker then refuses the reply, which would be lost silently otherwise.
_MANDATORY = oslo_messaging.TransportOptions(at_least_once=True)
_ENVELOPE_VERSION = "2.0"


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
        is_queue = queue.startswith(QUEUE_PREFIX) and queue.isascii() and len(queue) <= MAX_NAME_BYTES
        return cls(request_id, queue) if is_queue and request_id.isalnum() else None


class DirectReplies(Patch):
    """The last cell on the way back sends the reply of a call to its client, past the client's manager."""

    name = "direct_replies"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, impl_rabbit  # noqa: PLC0415  # slow to import

        parameters = {"exchange_name", "topic", "msg", "retry", "transport_options"}
        return (
            parameters <= set(impl_rabbit.Connection.topic_send.__code__.co_varnames)
            and {"result", "failure", "ending", "_msg_id"} <= texts_in(amqpdriver.AMQPIncomingMessage._send_reply)
            and rpc_common._RPC_ENVELOPE_VERSION == _ENVELOPE_VERSION
        )


DIRECT_REPLIES = DirectReplies()


def reaches_clients(transport_url: str) -> bool:
    """Return whether clients of the broker under this URL have queues for replies that this process may use."""
    return transport_url.startswith(("rabbit://", "rabbit+")) and DIRECT_REPLIES.is_active


def put(transport: Any, reply_to: ReplyAddress, value: str) -> None:
    """Reply to a call; return when the broker has the reply.

    :param transport: to the client's broker
    :param value: JSON text of the call's return value
    :raises oslo_messaging.MessageUndeliverable: the queue does not exist (any more)
    :raises Exception: as :meth:`oslo_messaging.RPCClient.cast`
    """
    head = {"failure": None, "ending": True, "_msg_id": reply_to.request_id, "_unique_id": uuid.uuid4().hex}
    text = f'{{"result": {value}, {json.dumps(head)[1:]}'
    envelope = {rpc_common._VERSION_KEY: rpc_common._RPC_ENVELOPE_VERSION, rpc_common._MESSAGE_KEY: text}
    with transport._driver._get_connection(rpc_common.PURPOSE_SEND, 1) as connection:
        # The exchange without a name binds every queue by the queue's name.
        connection.topic_send(
            exchange_name="", topic=reply_to.queue, msg=envelope, retry=1, transport_options=_MANDATORY
        )

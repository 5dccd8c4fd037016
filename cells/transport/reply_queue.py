"""The queue on which a client of RabbitMQ waits for answers, and how to put one there in its server's place.

oslo.messaging answers a request through the message that brought it, which only the server has that got
it.  What that does is put an object with ``result``, ``failure``, ``ending`` and the id of the request on the
client's queue; its driver for RabbitMQ is asked to do the same from here.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import oslo_messaging
from oslo_messaging._drivers import common as rpc_common

from cells.transport.reply_address import ReplyAddress

#: One that lies there without a client would be lost silently.
_MANDATORY = oslo_messaging.TransportOptions(at_least_once=True)


def is_reached_by(transport_url: str) -> bool:
    """Whether clients of the broker under this URL have such queues."""
    return transport_url.startswith(("rabbit://", "rabbit+"))


def put(transport: Any, reply_to: ReplyAddress, value: str) -> None:
    """Answer a call; returns when the broker has the answer.

    :param transport: to the client's broker
    :param value: JSON text of what the call returns
    :raises oslo_messaging.MessageUndeliverable: there is no such queue (any more)
    :raises Exception: as :meth:`oslo_messaging.RPCClient.cast`
    """
    head = {"failure": None, "ending": True, "_msg_id": reply_to.request_id, "_unique_id": uuid.uuid4().hex}
    text = f'{{"result": {value}, {json.dumps(head)[1:]}'
    envelope = {rpc_common._VERSION_KEY: rpc_common._RPC_ENVELOPE_VERSION, rpc_common._MESSAGE_KEY: text}
    with transport._driver._get_connection(rpc_common.PURPOSE_SEND, 1) as connection:
        # Every queue is bound by its name to the exchange without a name.
        connection.topic_send(
            exchange_name="", topic=reply_to.queue, msg=envelope, retry=1, transport_options=_MANDATORY
        )

"""What oslo.messaging's servers see: messages that come, and the way to answer each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common

from cells.brokerless import frames
from cells.brokerless.inbox import Inbox
from cells.brokerless.server import Delivery

LOG = logging.getLogger(__name__)


class Incoming(base.RpcIncomingMessage):  # type: ignore[misc]  # oslo.messaging has no types
    """One message, and for a call the way back."""

    def __init__(self, delivery: Delivery, inbox: Inbox[Delivery], max_message_bytes: int) -> None:
        """:raises cells.brokerless.frames.MalformedFrames: the body is none"""
        body = frames.decode(delivery.request.body)
        if not isinstance(body, dict) or not all(isinstance(body.get(key), dict) for key in ("context", "message")):
            raise frames.MalformedFrames("a body without a context or a message")
        super().__init__(body["context"], body["message"], delivery.request.message_id.hex())
        self.client_timeout = body.get("monitor_seconds")
        self._delivery = delivery
        self._inbox = inbox
        self._max_message_bytes = max_message_bytes

    def requeue(self) -> None:
        """Put it back into the queue of the listener that it came from."""
        self._inbox.put_back(self._delivery, len(self._delivery.request.body))

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the result of a call, or its failure, a ``sys.exc_info()``.  Never blocks.

        A result that can not be sent becomes a failure: the caller would wait for it in vain.
        """
        if self._delivery.request.kind != frames.CALL:
            return
        kind, body = frames.REPLY, b""
        if failure is None:
            try:
                body = frames.encode(reply)
            except (TypeError, ValueError) as error:
                failure = (type(error), error, error.__traceback__)
        if failure is None and len(body) > self._max_message_bytes:
            problem = ValueError(f"The result has {len(body)} bytes, more than {self._max_message_bytes} allowed.")
            failure = (ValueError, problem, None)
        if failure is not None:
            kind, body = frames.FAILURE, rpc_common.serialize_remote_exception(failure).encode()
        if not self._delivery.answer(kind, body):
            LOG.debug("The client of call %s is gone, its answer is dropped.", self.msg_id)

    def heartbeat(self) -> None:
        """Tell the client that the call is worked on."""
        self._delivery.answer(frames.WORKING)


class ZmqListener(base.PollStyleListener):  # type: ignore[misc]  # oslo.messaging has no types
    """Takes what comes for one server out of its inbox.

    :param stop_listening: called once, when the server stops: no more messages come then
    """

    def __init__(self, inbox: Inbox[Delivery], max_message_bytes: int, stop_listening: Callable[[], None]) -> None:
        super().__init__()
        self._inbox = inbox
        self._max_message_bytes = max_message_bytes
        self._stop_listening = stop_listening

    @base.batch_poll_helper  # type: ignore[untyped-decorator]  # oslo.messaging has no types
    def poll(self, timeout: float | None = None) -> Incoming | None:
        """The next message; None after ``timeout`` seconds, or once stopped and empty."""
        while True:
            delivery = self._inbox.take(timeout)
            if delivery is None:
                return None
            try:
                return Incoming(delivery, self._inbox, self._max_message_bytes)
            except frames.MalformedFrames as error:
                LOG.warning("A message that can not be understood is dropped: %s", error)
                failure = rpc_common.serialize_remote_exception((ValueError, ValueError(str(error)), None))
                delivery.answer(frames.FAILURE, failure.encode())

    def stop(self) -> None:
        """Take no new messages; what is in the inbox is still handed out.  May be called twice."""
        self._stop_listening()
        self._inbox.close()

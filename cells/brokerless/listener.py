"""Interface to oslo.messaging's servers: incoming messages, and the listeners that hand them over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common

from cells.brokerless import frames
from cells.brokerless.inbox import DirectInbox, Inbox, PolledInbox
from cells.brokerless.malformed import MalformedMessages
from cells.brokerless.server import Delivery
from cells.failure import name_of, text_of

LOG = logging.getLogger(__name__)


class Incoming(base.RpcIncomingMessage):  # type: ignore[misc]  # oslo.messaging has no types
    """An incoming message; for a call, also the way to reply."""

    #: Read by this project's RPC server: reply on the thread that has the result, since a reply never blocks here.
    replies_at_once = True

    def __init__(self, delivery: Delivery, inbox: Inbox[Delivery], max_message_bytes: int) -> None:
        """:raises cells.brokerless.frames.MalformedFrames: the body is not valid"""
        body = frames.decode(delivery.request.body)
        if not isinstance(body, dict) or not all(isinstance(body.get(key), dict) for key in ("context", "message")):
            raise frames.MalformedFrames("a body without a context or a message")
        super().__init__(body["context"], body["message"], delivery.request.message_id.decode(errors="replace"))
        self.client_timeout = body.get("monitor_seconds")
        self._delivery = delivery
        self._inbox: Inbox[Delivery] | None = inbox
        self._max_message_bytes = max_message_bytes

    def acknowledge(self) -> None:
        """Free the space of this message in the inbox: its processing has started."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.done(len(self._delivery.request.body))

    def requeue(self) -> None:
        """Put the message back into the inbox of its listener."""
        if self._inbox is not None and not self._inbox.put_back(self._delivery):
            LOG.warning("Message %s is lost: it was requeued while its server stops.", self.msg_id)

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the result of a call, or its failure, a ``sys.exc_info()``.  Never blocks.

        A result that cannot be sent becomes a failure, so that the caller does not wait until its timeout.
        """
        if self._delivery.request.kind != frames.CALL:
            return
        kind, body = frames.REPLY, b""
        if failure is None:
            try:
                body = frames.encode(reply)
            except BaseException as error:  # objects in the reply may raise anything
                failure = (type(error), error, error.__traceback__)
        if failure is None and len(body) > self._max_message_bytes:
            problem = ValueError(f"The result has {len(body)} bytes, more than {self._max_message_bytes} allowed.")
            failure = (ValueError, problem, None)
        if failure is not None:
            kind, body = frames.FAILURE, _serialize(failure, self._max_message_bytes)
        if not self._delivery.answer(kind, body):
            LOG.debug("The reply to call %s is dropped: the client has disconnected.", self.msg_id)

    def heartbeat(self) -> None:
        """Tell the client that the call is still being processed."""
        self._delivery.answer(frames.WORKING)


def _serialize(failure: Any, max_bytes: int) -> bytes:
    """Return an exception as oslo.messaging sends it; replace an exception that cannot be sent with a description."""
    try:
        body: bytes = rpc_common.serialize_remote_exception(failure).encode()
        if len(body) <= max_bytes:
            return body
        reason = f"it has {len(body)} bytes"
    except BaseException as error:  # the exception's own methods may raise anything
        reason = f"{name_of(error)}: {text_of(error)}"[:1000]
    replacement = RuntimeError(f"A method failed with {failure[0].__name__}, which cannot be sent: {reason}")
    return bytes(rpc_common.serialize_remote_exception((RuntimeError, replacement, None)).encode())


def read(delivery: Delivery, inbox: Inbox[Delivery], max_bytes: int, malformed: MalformedMessages) -> Incoming | None:
    """Return the message in a delivery; None if it is malformed, which a caller gets as a failure."""
    try:
        return Incoming(delivery, inbox, max_bytes)
    except frames.MalformedFrames as error:
        inbox.done(len(delivery.request.body))
        malformed.count(error)
        if delivery.request.kind == frames.CALL:
            failure = rpc_common.serialize_remote_exception((ValueError, ValueError(str(error)), None))
            delivery.answer(frames.FAILURE, failure.encode())
        return None


class DirectListener(base.Listener):  # type: ignore[misc]  # oslo.messaging has no types
    """Hands each message to its RPC server on the thread that read the message.

    The server does not block: it dispatches in a thread pool, or to endpoints that never block.

    :param stop_listening: called by :meth:`stop`; afterwards no message arrives
    """

    def __init__(
        self, inbox: DirectInbox[Delivery], max_message_bytes: int, stop_listening: Callable[[], None]
    ) -> None:
        super().__init__(batch_size=1, batch_timeout=None)
        self._inbox = inbox
        self._max_message_bytes = max_message_bytes
        self._stop_listening = stop_listening
        self._malformed = MalformedMessages()

    def start(self, on_incoming_callback: Callable[[list[Incoming]], None]) -> None:
        super().start(on_incoming_callback)

        def handle(delivery: Delivery) -> None:
            try:
                incoming = read(delivery, self._inbox, self._max_message_bytes, self._malformed)
                if incoming is not None:
                    on_incoming_callback([incoming])
            except BaseException:  # sys.exit too: a server must not end the thread that reads for all servers
                LOG.exception("A server failed to take a message.")

        self._inbox.start(handle)

    def stop(self) -> None:
        """Stop; return when all accepted messages are handed over.  May be called twice."""
        self._stop_listening()
        self._inbox.close()
        self._inbox.wait_until_empty()
        super().stop()

    def cleanup(self) -> None:
        """Do nothing: :meth:`stop` has released everything."""


class PolledListener(base.PollStyleListener):  # type: ignore[misc]  # oslo.messaging has no types
    """Listener for notifications: oslo.messaging's thread polls it and collects batches."""

    def __init__(
        self, inbox: PolledInbox[Delivery], max_message_bytes: int, stop_listening: Callable[[], None]
    ) -> None:
        super().__init__()
        self._inbox = inbox
        self._max_message_bytes = max_message_bytes
        self._stop_listening = stop_listening
        self._malformed = MalformedMessages()

    @base.batch_poll_helper  # type: ignore[untyped-decorator]  # oslo.messaging has no types
    def poll(self, timeout: float | None = None) -> Incoming | None:
        """Return the next message; None after ``timeout`` seconds, or when stopped and empty."""
        while True:
            delivery = self._inbox.take(timeout)
            if delivery is None:
                return None
            incoming = read(delivery, self._inbox, self._max_message_bytes, self._malformed)
            if incoming is not None:
                return incoming

    def stop(self) -> None:
        """Accept no new messages; accepted messages are still handed out.  May be called twice."""
        self._stop_listening()
        self._inbox.close()

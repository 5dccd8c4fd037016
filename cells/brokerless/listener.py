"""What oslo.messaging's servers see: messages that come, and the way to answer each."""

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

LOG = logging.getLogger(__name__)


class Incoming(base.RpcIncomingMessage):  # type: ignore[misc]  # oslo.messaging has no types
    """One message, and for a call the way back."""

    #: Whoever has a result may reply on his own thread: others wait for a broker there.
    replies_at_once = True

    def __init__(self, delivery: Delivery, inbox: Inbox[Delivery], max_message_bytes: int) -> None:
        """:raises cells.brokerless.frames.MalformedFrames: the body is none"""
        body = frames.decode(delivery.request.body)
        if not isinstance(body, dict) or not all(isinstance(body.get(key), dict) for key in ("context", "message")):
            raise frames.MalformedFrames("a body without a context or a message")
        super().__init__(body["context"], body["message"], delivery.request.message_id.decode(errors="replace"))
        self.client_timeout = body.get("monitor_seconds")
        self._delivery = delivery
        self._inbox: Inbox[Delivery] | None = inbox
        self._max_message_bytes = max_message_bytes

    def acknowledge(self) -> None:
        """It is worked on: there is room for another one."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.done(len(self._delivery.request.body))

    def requeue(self) -> None:
        """Put it back into the queue of the listener that it came from."""
        if self._inbox is not None and not self._inbox.put_back(self._delivery):
            LOG.warning("Message %s is lost: it came back to a server that stops.", self.msg_id)

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the result of a call, or its failure, a ``sys.exc_info()``.  Never blocks.

        A result that cannot be sent becomes a failure: the caller would wait for it in vain.
        """
        if self._delivery.request.kind != frames.CALL:
            return
        kind, body = frames.REPLY, b""
        if failure is None:
            try:
                body = frames.encode(reply)
            except Exception as error:  # of whatever objects are in it
                failure = (type(error), error, error.__traceback__)
        if failure is None and len(body) > self._max_message_bytes:
            problem = ValueError(f"The result has {len(body)} bytes, more than {self._max_message_bytes} allowed.")
            failure = (ValueError, problem, None)
        if failure is not None:
            kind, body = frames.FAILURE, _serialize(failure, self._max_message_bytes)
        if not self._delivery.answer(kind, body):
            LOG.debug("The client of call %s is gone, its answer is dropped.", self.msg_id)

    def heartbeat(self) -> None:
        """Tell the client that the call is worked on."""
        self._delivery.answer(frames.WORKING)


def _serialize(failure: Any, max_bytes: int) -> bytes:
    """An exception as oslo.messaging sends it; one that cannot be sent, as what is known of it."""
    try:
        body: bytes = rpc_common.serialize_remote_exception(failure).encode()
        if len(body) <= max_bytes:
            return body
        reason = f"it has {len(body)} bytes"
    except Exception as error:  # of whatever objects are in it
        reason = f"{type(error).__name__}: {error}"[:1000]
    replacement = RuntimeError(f"A method failed with {failure[0].__name__}, which cannot be sent: {reason}")
    return bytes(rpc_common.serialize_remote_exception((RuntimeError, replacement, None)).encode())


def read(
    delivery: Delivery, inbox: Inbox[Delivery], max_message_bytes: int, malformed: MalformedMessages
) -> Incoming | None:
    """The message in a delivery; None if there is none in it, which the caller of one is told."""
    try:
        return Incoming(delivery, inbox, max_message_bytes)
    except frames.MalformedFrames as error:
        inbox.done(len(delivery.request.body))
        malformed.count(error)
        if delivery.request.kind == frames.CALL:
            failure = rpc_common.serialize_remote_exception((ValueError, ValueError(str(error)), None))
            delivery.answer(frames.FAILURE, failure.encode())
        return None


class DirectListener(base.Listener):  # type: ignore[misc]  # oslo.messaging has no types
    """Hands each message to its RPC server on the thread that has read it.

    A server takes it without waiting: it dispatches in a pool, or to endpoints that never block.

    :param stop_listening: ends that messages come
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
            except BaseException:  # sys.exit too: nothing in a server must end the thread that reads for all
                LOG.exception("A server could not take a message.")

        self._inbox.start(handle)

    def stop(self) -> None:
        """Return when what has come is handed over, and nothing more comes.  May be called twice."""
        self._stop_listening()
        self._inbox.close()
        self._inbox.wait_until_empty()
        super().stop()

    def cleanup(self) -> None:
        """There is nothing left to do."""


class PolledListener(base.PollStyleListener):  # type: ignore[misc]  # oslo.messaging has no types
    """Has a thread of its own, which gathers batches: for notifications."""

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
        """The next message; None after ``timeout`` seconds, or once stopped and empty."""
        while True:
            delivery = self._inbox.take(timeout)
            if delivery is None:
                return None
            incoming = read(delivery, self._inbox, self._max_message_bytes, self._malformed)
            if incoming is not None:
                return incoming

    def stop(self) -> None:
        """Take no new messages; what has come is still handed out.  May be called twice."""
        self._stop_listening()
        self._inbox.close()

"""Messages of a manager to its own consumers, through the broker: the proof that they consume.

A consumer that is declared may be cut off nevertheless: its connection is half open, its thread hangs, or the broker is
blocked.  Only a message that arrives shows that messages arrive.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.transport.errors import BROKER_ERRORS
from cells.transport.patches.reachability import RequestLimits

_TARGET = oslo_messaging.Target(namespace="loopback", version="1.0")


class LoopbackEndpoint:
    """The RPC endpoint that takes the messages.  A token that is not expected is ignored."""

    target = _TARGET

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take

    def loop(self, ctxt: dict[str, Any], token: str) -> None:  # noqa: ARG002  # oslo's signature
        """Note that a message has come back."""
        self._take(token)


class Loopback:
    """Sender of the messages, on a connection of its own, which the first check opens.

    Thread-safe; checks run one at a time.
    """

    def __init__(self, open_transport: Callable[[], Any], consumers: Sequence[oslo_messaging.Target]) -> None:
        """:param consumers: topic, server and exchange of each consumer"""
        self.endpoint = LoopbackEndpoint(self._take)
        self._open_transport = open_transport
        self._consumers = list(consumers)
        self._transport: Any = None
        self._within: Any = None
        self._returned = threading.Condition()
        self._checking = threading.Lock()
        #: token -> consumer from which it has not come back yet
        self._waiting: dict[str, oslo_messaging.Target] = {}

    def check(self, seconds: float) -> None:
        """Send each consumer a message and wait until it has come.

        :param seconds: bound for all of them
        :raises cells.exceptions.ManagerTimeout: the broker took no message, or a consumer got none; the error says
            which
        """
        if not self._checking.acquire(timeout=seconds):
            raise exceptions.ManagerTimeout(f"another check has not ended within {seconds:g} s")
        try:
            self._check(seconds)
        finally:
            self._checking.release()

    def _check(self, seconds: float) -> None:
        with self._returned:
            self._waiting = {uuid.uuid4().hex: consumer for consumer in self._consumers}
            sent = dict(self._waiting)
        try:
            self._send(sent, seconds)
        except (oslo_messaging.MessagingException, *BROKER_ERRORS) as error:
            raise exceptions.ManagerTimeout(f"the broker took no message of this manager to itself: {error}") from error
        with self._returned:
            if not self._returned.wait_for(lambda: not self._waiting, seconds):
                missing = next(iter(self._waiting.values()))
                raise exceptions.ManagerTimeout(
                    f"the consumer of queue {missing.topic}.{missing.server} took no message within {seconds:g} s"
                )

    def close(self) -> None:
        """Close the connection.  May be called twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()

    def _send(self, messages: dict[str, oslo_messaging.Target], seconds: float) -> None:
        if self._transport is None:
            self._transport = self._open_transport()
            self._within = RequestLimits(self._transport).within
        with self._within(seconds):
            for token, consumer in messages.items():
                target = oslo_messaging.Target(
                    topic=consumer.topic,
                    server=consumer.server,
                    exchange=consumer.exchange,
                    namespace=_TARGET.namespace,
                    version=_TARGET.version,
                )
                # A missing queue is an error: otherwise the message would be lost silently.
                options = oslo_messaging.TransportOptions(at_least_once=True)
                client = oslo_messaging.get_rpc_client(self._transport, target, retry=0, transport_options=options)
                client.cast({}, "loop", token=token)

    def _take(self, token: str) -> None:
        with self._returned:
            if self._waiting.pop(token, None) is not None and not self._waiting:
                self._returned.notify_all()

"""Sender: delivers messages to a peer and waits for the answer.

A message goes to a second process only if the first process has certainly not accepted it:
there was no connection, or the process refused.  So no message is delivered twice.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import oslo_messaging

from cells import exceptions
from cells.brokerless import frames, round_trip, routing_keys
from cells.brokerless.addresses import Address
from cells.brokerless.connections import (
    Connection,
    Connections,
    ConnectionsInUse,
    NoServer,
    NotAttempted,
    PeerUnreachable,
)
from cells.brokerless.peers import NoServices, Peers
from cells.brokerless.round_trip import DeliveryUnknown, Outgoing, Refused, Undeliverable

FIRST_BACKOFF_SECONDS = 0.02
MAX_BACKOFF_SECONDS = 0.5
#: Limit for key and pool. The rest of a header is kind and id; quoting can make a pool three times as long.
MAX_NAME_CHARACTERS = (frames.MAX_HEADER_BYTES - 100) // 3

T = TypeVar("T")


@dataclass(kw_only=True)
class Sender:
    """Sending side of a transport: delivers messages to :class:`Peers`.  Thread-safe; its methods block."""

    peers: Peers
    connections: Connections
    delivery_timeout_seconds: float
    max_message_bytes: int
    _closed: threading.Event = field(default_factory=threading.Event, init=False)

    def cast(self, message: Outgoing) -> None:
        """Return when a server has queued the message; for a fan-out key, when each reachable server has.

        :raises Undeliverable: the message is mandatory, and no server exists
        :raises DeliveryUnknown: a server may have queued the message, but is gone or silent
        :raises oslo_messaging.MessageDeliveryFailure: no server has accepted the message
        """
        deadline = time.monotonic() + self.delivery_timeout_seconds
        deliver = self._send_to_each if routing_keys.is_fanout(message.key) else self._send_to_one
        try:
            self._retry_until_accepted(message, deadline, lambda found: deliver(message, found, deadline, deadline))
        except oslo_messaging.MessagingTimeout as error:
            raise DeliveryUnknown(f"A message for {_name(message.key)} may or may not have arrived: {error}") from error

    def call(self, message: Outgoing, timeout_seconds: float | None) -> frames.Answer:
        """Return the answer: a reply, or a failure.

        :raises Undeliverable: the message is mandatory, and no server exists
        :raises oslo_messaging.MessageDeliveryFailure: no server has accepted the call
        :raises oslo_messaging.MessagingTimeout: the answer did not arrive in time, or will never arrive
        """
        now = time.monotonic()
        deadline = now + (timeout_seconds if timeout_seconds is not None else float("inf"))
        accept_by = min(deadline, now + self.delivery_timeout_seconds)
        try:
            return self._retry_until_accepted(
                message, accept_by, lambda found: self._send_to_one(message, found, accept_by, deadline)
            )
        except oslo_messaging.MessageDeliveryFailure as error:
            if time.monotonic() < deadline or isinstance(error, Undeliverable):
                raise
            raise oslo_messaging.MessagingTimeout(f"No server accepted the call in time. {error}") from error

    def close(self) -> None:
        """Stop retries, and close the connections."""
        self._closed.set()
        self.connections.close()

    def _retry_until_accepted(self, message: Outgoing, deadline: float, attempt: Callable[[list[Address]], T]) -> T:
        if len(message.body) > self.max_message_bytes:
            raise oslo_messaging.MessageDeliveryFailure(
                f"A message of {len(message.body)} bytes for {_name(message.key)} is longer than "
                f"[oslo_messaging_zmq] max_message_bytes, {self.max_message_bytes}."
            )
        if len(message.key) + len(message.pool or "") > MAX_NAME_CHARACTERS:
            raise oslo_messaging.MessageDeliveryFailure(
                f"Use shorter names of exchange, topic and server, they are too long: {_name(message.key)[:100]}..."
            )
        attempts_left = message.retry if message.retry is not None and message.retry >= 0 else None
        pause_seconds = FIRST_BACKOFF_SECONDS
        while True:
            try:
                return attempt(self.peers.find(message.key, message.pool))
            except (PeerUnreachable, Refused, exceptions.MatchMakerException) as error:
                reason, has_server = str(error), not isinstance(error, (NoServer, NoServices))
                away = error if isinstance(error, exceptions.RegistryUnavailable) else None
            left_seconds = deadline - time.monotonic()
            may_try_again = attempts_left != 0 and left_seconds > 0
            if not may_try_again or self._closed.wait(min(pause_seconds, left_seconds)):
                text = f"No server accepted a message for {_name(message.key)}: {reason}"
                if message.is_mandatory and not has_server:
                    raise Undeliverable(text, message.key)
                raise oslo_messaging.MessageDeliveryFailure(text) from away
            attempts_left = None if attempts_left is None else attempts_left - 1
            pause_seconds = min(2 * pause_seconds, MAX_BACKOFF_SECONDS)

    def _send_to_one(self, message: Outgoing, found: list[Address], accept_by: float, deadline: float) -> frames.Answer:
        reasons = []
        has_server = False
        busy: list[Address] = []
        # Try all other processes first, then wait for a free connection.
        attempts = itertools.chain(((address, False) for address in found), ((address, True) for address in busy))
        for address, may_wait in attempts:
            try:
                with self._connected(address, accept_by, accept_by if may_wait else 0.0) as connection:
                    request = round_trip.send(connection, message, address.pool)
                    answer = round_trip.receive(connection, request, deadline, message.monitor_seconds)
                round_trip.raise_if_refused(answer)
            except (PeerUnreachable, Refused) as error:
                if isinstance(error, ConnectionsInUse) and not may_wait:
                    busy.append(address)
                    continue
                reasons.append(f"{address.process}: {error}")
                has_server |= not (error.has_no_listener if isinstance(error, Refused) else isinstance(error, NoServer))
                self._report_failure(message, address, error)
            except oslo_messaging.MessagingTimeout as error:
                # The timeout of a call may only mean that its method is slow: it says nothing about the process.
                if message.kind != frames.CALL or isinstance(error, round_trip.ServerLost):
                    self._report_failure(message, address, error)
                raise
            else:
                self.peers.delivered(message.key, address)
                return answer
        kind = PeerUnreachable if has_server else NoServer
        raise kind("; ".join(reasons) or "no server is known for it")

    def _send_to_each(self, message: Outgoing, found: list[Address], accept_by: float, deadline: float) -> None:
        """Send to each server, then wait for all: a slow server does not delay the others.

        A topic without servers is no error, as with any broker.  If servers exist and none accepts, that is an error.
        """
        reasons, taken, unknown = [], 0, 0
        with contextlib.ExitStack() as connected:
            waiting = []
            for address in found:
                try:
                    connection = connected.enter_context(self._connected(address, accept_by))
                    waiting.append((address, connection, round_trip.send(connection, message, address.pool)))
                except PeerUnreachable as error:
                    reasons.append(f"{address.process}: {error}")
                    self._report_failure(message, address, error)
            for address, connection, request in waiting:
                try:
                    round_trip.raise_if_refused(round_trip.receive(connection, request, deadline))
                    self.peers.delivered(message.key, address)
                    taken += 1
                except (Refused, oslo_messaging.MessagingTimeout) as error:
                    self._report_failure(message, address, error)
                    taken += isinstance(error, Refused) and error.has_no_listener
                    unknown += isinstance(error, oslo_messaging.MessagingTimeout)
                    reasons.append(f"{address.process}: {error}")
        if taken or not found:
            return
        if unknown:  # a retry could deliver the message twice
            raise oslo_messaging.MessagingTimeout("; ".join(reasons))
        raise PeerUnreachable("; ".join(reasons))

    @contextlib.contextmanager
    def _connected(self, address: Address, deadline: float, slot_by: float | None = None) -> Iterator[Connection]:
        endpoint = address.nearest()
        if endpoint is None:
            raise PeerUnreachable("it has stopped, or runs on another machine without [oslo_messaging_zmq] bind")
        with self.connections.borrow(endpoint, deadline, slot_by) as connection:
            yield connection

    def _report_failure(self, message: Outgoing, address: Address, error: Exception) -> None:
        if not isinstance(error, (NotAttempted, Refused)):
            self.peers.unreachable(message.key, address)


def _name(key: str) -> str:
    """Return the key in readable form, for error texts."""
    return urllib.parse.unquote(key)

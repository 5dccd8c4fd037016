"""ZmqDriver: the driver ``zmq`` of oslo.messaging.

It implements the contract of ``oslo_messaging._drivers.base.BaseDriver``: it maps RPC
messages and notifications to the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common

from cells import exceptions
from cells.brokerless import concurrency, frames, routing_keys
from cells.brokerless.inbox import DirectInbox, PolledInbox
from cells.brokerless.listener import DirectListener, PolledListener
from cells.brokerless.peers import NoServices
from cells.brokerless.resources import Resources
from cells.brokerless.round_trip import Outgoing
from cells.brokerless.server import Delivery
from cells.conf import zmq as options
from cells.transport import fork

T = TypeVar("T")


class ZmqDriver(base.BaseDriver):  # type: ignore[misc]  # oslo.messaging has no types
    """Driver of oslo.messaging without a broker.  Thread-safe.

    The constructor does no I/O: the first message or the first server opens sockets
    and starts threads and the MatchMaker.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        url: oslo_messaging.TransportURL,
        default_exchange: str | None = None,
        allowed_remote_exmods: Sequence[str] | None = None,
    ) -> None:
        """:raises oslo_messaging.InvalidTransportURL: the URL, or an option in its query, is wrong; or eventlet has
        patched this process
        """
        conf.register_opts(options.OPTIONS, group=options.GROUP)
        try:
            concurrency.check_threads()
            conf = rpc_common.ConfigOptsProxy(conf, url, options.GROUP)
            self._resources = Resources(conf, url)
        except exceptions.ConfigurationError as error:
            raise oslo_messaging.InvalidTransportURL(str(url), error.message) from None
        except (cfg.Error, ValueError) as error:
            raise oslo_messaging.InvalidTransportURL(str(url), f"an option in it is wrong: {error}") from None
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)

    def require_features(self, requeue: bool = True) -> None:
        """Do nothing: all features are supported."""

    def send(  # noqa: PLR0913  # oslo.messaging's signature
        self,
        target: oslo_messaging.Target,
        ctxt: Mapping[str, Any],
        message: Mapping[str, Any],
        wait_for_reply: bool | None = None,
        timeout: float | None = None,
        call_monitor_timeout: float | None = None,
        retry: int | None = None,
        transport_options: Any = None,
    ) -> Any:
        """Send a call or a cast; return the result of a call.

        :raises oslo_messaging.MessageUndeliverable: there is no server, and ``transport_options`` ask for
            ``at_least_once``; also a MessageDeliveryFailure
        :raises oslo_messaging.MessageDeliveryFailure: no server has accepted the message
        :raises oslo_messaging.MessagingTimeout: the answer to a call did not arrive in time
        """
        body = frames.encode({"context": _values(ctxt), "message": message, "monitor_seconds": call_monitor_timeout})
        kind = frames.CALL if wait_for_reply else frames.CAST
        outgoing = Outgoing(
            kind,
            self._key(target),
            body,
            retry,
            is_mandatory=bool(getattr(transport_options, "at_least_once", False)),
            monitor_seconds=call_monitor_timeout,
        )
        fork.check(self)
        sender = self._opened(self._resources.sender)
        if not wait_for_reply:
            sender.cast(outgoing)
            return None
        answer = sender.call(outgoing, timeout)
        try:
            if answer.kind != frames.FAILURE:
                return frames.decode(answer.body)
            failure = rpc_common.deserialize_remote_exception(answer.body.decode(), self._allowed_remote_exmods)
        except Exception as error:  # oslo.messaging may raise anything for invalid data of another process
            raise oslo_messaging.MessagingException(
                f"The answer to a call of {target} cannot be decoded: {type(error).__name__}: {error}"
            ) from None
        raise failure

    def send_notification(  # noqa: PLR0913  # oslo.messaging's signature
        self,
        target: oslo_messaging.Target,
        ctxt: Mapping[str, Any],
        message: Mapping[str, Any],
        version: float = 2.0,  # noqa: ARG002  # of an envelope that only other transports need
        retry: int | None = None,  # noqa: ARG002  # the backlog keeps notifications that cannot be delivered
        *,
        keep_without_listeners: bool = True,
    ) -> None:
        """Deliver a notification, or keep it until a listener starts.

        :raises oslo_messaging.MessageDeliveryFailure: the backlog is full, or an option is wrong
        """
        body = frames.encode({"context": _values(ctxt), "message": message})
        key = routing_keys.notification_key(self._exchange(target), target.topic)
        fork.check(self)
        self._opened(self._resources.backlog).send(key, body, keep_without_listeners=keep_without_listeners)

    def send_to_listeners(
        self, target: oslo_messaging.Target, ctxt: Mapping[str, Any], message: Mapping[str, Any]
    ) -> None:
        """Deliver a notification to the pools that listen now; without any listener drop the notification.

        :raises oslo_messaging.MessageDeliveryFailure: the backlog for pools that do not answer is full, or an
            option is wrong
        """
        self.send_notification(target, ctxt, message, keep_without_listeners=False)

    def listen(
        self,
        target: oslo_messaging.Target,
        batch_size: int,  # noqa: ARG002  # an RPC server takes one message at a time
        batch_timeout: float | None,  # noqa: ARG002
    ) -> DirectListener:
        """Return a listener for the topic, and for the one server if the target names it."""
        exchange = self._exchange(target)
        keys = [routing_keys.topic_key(exchange, target.topic)]
        if target.server:
            keys.append(routing_keys.direct_key(exchange, target.topic, target.server))
        limits = self.conf.oslo_messaging_zmq
        fork.check(self)
        inbox: DirectInbox[Delivery] = DirectInbox(limits.receive_queue_size, limits.receive_queue_bytes)
        return DirectListener(inbox, limits.max_message_bytes, self._resources.serve(keys, inbox, ""))

    def listen_for_notifications(
        self,
        targets_and_priorities: Iterable[tuple[oslo_messaging.Target, str]],
        pool: str | None,
        batch_size: int,
        batch_timeout: float | None,
    ) -> base.PollStyleListenerAdapter:
        """Return a listener for each topic and priority; the listeners of a pool share the messages."""
        keys = [
            routing_keys.notification_key(self._exchange(target), f"{target.topic}.{priority}")
            for target, priority in targets_and_priorities
        ]
        limits = self.conf.oslo_messaging_zmq
        fork.check(self)
        inbox: PolledInbox[Delivery] = PolledInbox(limits.receive_queue_size, limits.receive_queue_bytes)
        listener = PolledListener(inbox, limits.max_message_bytes, self._resources.serve(keys, inbox, pool or ""))
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def count_servers(self, target: oslo_messaging.Target) -> int:
        """Return how many processes a message for a topic may go to; some may have ended.

        :raises cells.exceptions.MatchMakerException: they cannot be determined
        """
        fork.check(self)
        try:
            found = self._opened(self._resources.sender).peers.find(self._key(target))
        except NoServices:
            return 0
        return len({address.process for address in found})

    def cleanup(self) -> None:
        """Close the transport.  May be called twice."""
        self._resources.close()

    def _opened(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except exceptions.ConfigurationError as error:
            raise oslo_messaging.MessageDeliveryFailure(error.message) from error

    def _key(self, target: oslo_messaging.Target) -> str:
        exchange = self._exchange(target)
        if target.fanout:
            return routing_keys.fanout_key(exchange, target.topic)
        if target.server:
            return routing_keys.direct_key(exchange, target.topic, target.server)
        return routing_keys.topic_key(exchange, target.topic)

    def _exchange(self, target: oslo_messaging.Target) -> str:
        return target.exchange or self._default_exchange or ""


def _values(ctxt: Any) -> Any:
    """Return a context without a serializer as a mapping, as oslo.messaging's own drivers do."""
    return ctxt if isinstance(ctxt, Mapping) else ctxt.to_dict()

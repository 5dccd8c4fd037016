"""The parts of kombu between oslo.messaging and RabbitMQ, without a RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
from oslo_messaging._drivers import impl_rabbit


class Broker:
    """The parts of kombu between oslo.messaging and RabbitMQ."""

    def __init__(self, answer: Callable[[Any], None] = lambda _: None) -> None:
        """:param answer: called with the connection for each published message, before it is confirmed"""
        self.declared: list[str] = []
        self.channel_errors = (amqp.ChannelError,)
        self.published: list[str] = []
        self.confirmed = 0
        self.recovered: list[Any] = []
        self._answer = answer

    def connect(self, transport: Any) -> Any:
        """Return a connection of ``transport``, with this broker at its other end."""
        made_by = transport._driver._connection_pool.connection_cls
        self.made = made = made_by.__new__(made_by)
        made.__dict__.update(connection=self, channel=self, purpose="send", _producer=self, _initial_pid=0)
        made.__dict__.update(amqp_durable_queues=True, rabbit_quorum_queue=False, amqp_auto_delete=False)
        made.__dict__.update(
            rabbit_transient_quorum_queue=True,
            direct_mandatory_flag=True,
            kombu_compression=None,
            _declared_exchanges=set(),
        )
        made.interval_start = made.interval_stepping = made.interval_max = made.kombu_reconnect_delay = 0
        made._connection_lock = impl_rabbit.DummyConnectionLock()
        made._set_current_channel = self.recovered.append
        made.set_transport_socket_timeout = lambda *_: None
        return made

    def get_transport_cls(self) -> type:
        return Broker

    def autoretry(self, method: Callable[[Any], None], **_: object) -> Callable[[], Any]:
        return lambda: (method(self), self)

    def info(self) -> dict[str, str]:
        return {"hostname": "h", "port": "1"}

    def exchange_declare(self, *, exchange: str, **_: object) -> None:
        self.declared.append(exchange)

    def publish(self, _message: object, *, exchange: Any, **_: object) -> None:
        self.published.append(exchange.name)
        self._answer(self.made)
        self.confirmed += 1


class Resending(Broker):
    """A broker whose connection breaks at the first message, so that oslo.messaging sends it again."""

    def __init__(self, error: Exception, times: int = 1) -> None:
        super().__init__(self._break)
        self._errors = [error] * times
        #: the arguments of each published message
        self.arguments: list[dict[str, Any]] = []
        #: the time to live of each published message, in seconds
        self.expirations: list[float | None] = []

    def publish(self, message: Any, **options: Any) -> None:
        self.arguments.append(json.loads(message["oslo.message"])["args"])
        self.expirations.append(options["expiration"])
        super().publish(message, **options)

    def _break(self, _: object) -> None:
        if self._errors:
            raise self._errors.pop()

    def autoretry(self, method: Callable[[Any], None], **_: object) -> Callable[[], Any]:
        def run() -> tuple[None, Any]:
            try:
                method(self)
            except Exception:  # as kombu, which knows the classes of errors of a connection
                method(self)
            return None, self

        return run

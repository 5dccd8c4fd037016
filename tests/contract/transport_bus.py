"""Servers, clients and listeners of one test of a transport, each as if in a process of its own.

The contract classes get them from a :class:`TransportBus`; the modules that run the contract
supply the URLs, and the errors that differ between transports.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells.transport.opening import register_options
from tools.polling import poll

TOPIC = "contract.topic"
CALL_TIMEOUT_SECONDS = 20
HOLD_TIMEOUT_SECONDS = 40

Errors = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True)
class Place:
    """URLs of a transport under test, and its errors where transports may differ.

    :ivar server: returns the URL of another server or listener, and sets options on its configuration
    :ivar client_url: URL of clients and notifiers
    :ivar unreachable_url: URL without a server or broker
    :ivar no_answer: error of a call without a server
    :ivar unreachable: error of sending to ``unreachable_url``
    :ivar closed: error of a call or cast after its transport was closed
    :ivar configure: sets options on the configuration of each transport
    """

    server: Callable[[cfg.ConfigOpts], str]
    client_url: str
    unreachable_url: str
    no_answer: Errors
    unreachable: Errors
    closed: Errors
    configure: Callable[[cfg.ConfigOpts], None] = lambda _conf: None


class Endpoint:
    """Methods of the contract's servers, and a record of their calls."""

    target = oslo_messaging.Target(version="1.4")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.received: list[Any] = []
        self.finished: list[Any] = []
        self.released = threading.Event()

    def echo(self, ctxt: dict[str, Any], value: Any) -> Any:
        return value

    def context(self, ctxt: dict[str, Any]) -> dict[str, Any]:
        return ctxt

    def server_name(self, ctxt: dict[str, Any]) -> str:
        return self.name

    def take(self, ctxt: dict[str, Any], value: Any) -> None:
        self.received.append(value)

    def hold(self, ctxt: dict[str, Any], value: Any) -> Any:
        """Answer when the test has set ``released``."""
        self.received.append(value)
        assert self.released.wait(HOLD_TIMEOUT_SECONDS), "The test never ended"
        self.finished.append(value)
        return value


class Serving:
    """A running server or listener with its own transport."""

    def __init__(self, transport: Any, server: Any, endpoint: Any) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._server = server

    def stop(self) -> None:
        """Take no new message, and wait for methods in progress."""
        self._server.stop()
        self._server.wait()

    def close(self) -> None:
        """Stop and close the transport, as at the end of a process."""
        self.stop()
        self._transport.cleanup()


class TransportBus:
    """Meeting point of the servers and clients of one test."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._opened = contextlib.ExitStack()
        self._endpoints: list[Endpoint] = []

    def server(
        self,
        name: str = "server",
        *,
        topic: str = TOPIC,
        exchange: str | None = None,
        endpoints: Sequence[Any] | None = None,
        pool_size: int | None = None,
    ) -> Serving:
        """Return a running server.

        :param endpoints: one :class:`Endpoint` by default
        :param pool_size: number of threads for its methods
        """
        conf = self._configuration()
        transport = oslo_messaging.get_rpc_transport(conf, self.place.server(conf))
        self._opened.callback(transport.cleanup)
        if endpoints is None:
            endpoints = [Endpoint(name)]
        self._endpoints += [one for one in endpoints if isinstance(one, Endpoint)]
        target = oslo_messaging.Target(topic=topic, exchange=exchange, server=name)
        server = oslo_messaging.get_rpc_server(transport, target, list(endpoints))
        return self._started(Serving(transport, server, endpoints[0]), server, pool_size)

    def client(self, *, topic: str = TOPIC, exchange: str | None = None, **options: Any) -> Any:
        """Return a client with its own transport; takes the options of ``get_rpc_client`` too."""
        return self.client_on(self.transport(), topic=topic, exchange=exchange, **options)

    def client_on(
        self, transport: Any, *, topic: str = TOPIC, exchange: str | None = None, version: str = "1.0", **options: Any
    ) -> Any:
        """Return a client on a transport that may be shared."""
        target = oslo_messaging.Target(topic=topic, exchange=exchange, version=version)
        return oslo_messaging.get_rpc_client(transport, target, **{"timeout": CALL_TIMEOUT_SECONDS, **options})

    def transport(self, url: str | None = None, exception_modules: Sequence[str] = ()) -> Any:
        """Return a client's transport, which is closed after the test."""
        url = url or self.place.client_url
        transport = oslo_messaging.get_rpc_transport(
            self._configuration(), url, allowed_remote_exmods=list(exception_modules)
        )
        self._opened.callback(transport.cleanup)
        return transport

    def notifier(self, topic: str = TOPIC) -> Any:
        """Return a sender of notifications."""
        transport = oslo_messaging.get_notification_transport(self._configuration(), self.place.client_url)
        self._opened.callback(transport.cleanup)
        return oslo_messaging.Notifier(transport, "contract", driver="messagingv2", topics=[topic], retry=0)

    def listener(self, endpoint: Any, *, topic: str = TOPIC, batch_size: int | None = None, **options: Any) -> Serving:
        """Return a running listener for notifications; takes the options of ``get_notification_listener`` too."""
        conf = self._configuration()
        transport = oslo_messaging.get_notification_transport(conf, self.place.server(conf))
        self._opened.callback(transport.cleanup)
        targets = [oslo_messaging.Target(topic=topic)]
        if batch_size is None:
            listener = oslo_messaging.get_notification_listener(transport, targets, [endpoint], **options)
        else:
            listener = oslo_messaging.get_batch_notification_listener(
                transport, targets, [endpoint], batch_size=batch_size, **options
            )
        return self._started(Serving(transport, listener, endpoint), listener)

    def close(self) -> None:
        """Stop all servers and close all transports of the test."""
        for endpoint in self._endpoints:
            endpoint.released.set()
        self._opened.close()

    def _started(self, serving: Serving, server: Any, pool_size: int | None = None) -> Serving:
        server.start(override_pool_size=pool_size)
        self._opened.callback(serving.stop)
        return serving

    def _configuration(self) -> cfg.ConfigOpts:
        conf = cells_conf.load([])
        register_options(conf)
        self.place.configure(conf)
        return conf


def opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
    """Fixture body: yield a bus and close it afterwards."""
    # Idle threads of a server's pool wake up once a second, so each server would take that long to stop.
    monkeypatch.setattr("futurist._thread.ThreadWorker.MAX_IDLE_FOR", 0.02, raising=False)
    bus = TransportBus(place)
    try:
        yield bus
    finally:
        bus.close()


def wait_for(endpoint: Any, count: int) -> None:
    """Wait until ``endpoint`` has received at least ``count`` messages."""
    poll(lambda: len(endpoint.received) >= count, f"{count} messages arrive")


def succeeds(call: Callable[[], Any]) -> Any:
    """Return whether a call is answered; False if no server is found yet."""
    try:
        call()
    except oslo_messaging.MessagingException:
        return False
    return True

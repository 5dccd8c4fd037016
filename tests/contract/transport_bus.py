"""Servers, clients and listeners of one test of a transport, each as in a process of its own.

The classes of the contract ask a :class:`TransportBus` for them; the modules that run
the contract say which URLs it has and how this transport answers where transports differ.
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
    """Where a transport is tested, and what it says where transports may differ.

    :ivar server: gives the URL of another server or listener, and sets options on its configuration
    :ivar client_url: of clients and notifiers
    :ivar unreachable_url: where nobody is
    :ivar no_answer: what a call gets that nobody serves
    :ivar not_taken: what a cast gets that nobody serves and that must arrive
    :ivar unreachable: what is sent to ``unreachable_url`` gets
    :ivar closed: what a call or cast gets after its transport was closed
    :ivar configure: sets options on the configuration of each transport
    """

    server: Callable[[cfg.ConfigOpts], str]
    client_url: str
    unreachable_url: str
    no_answer: Errors
    not_taken: Errors
    unreachable: Errors
    closed: Errors
    configure: Callable[[cfg.ConfigOpts], None] = lambda _conf: None


class Endpoint:
    """What a server of the contract can do, and what it has done."""

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

    def who(self, ctxt: dict[str, Any]) -> str:
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
    """A running server or listener, and the transport that is its own."""

    def __init__(self, transport: Any, server: Any, endpoint: Any) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._server = server

    def stop(self) -> None:
        """Take nothing more, and wait for what is being handled."""
        self._server.stop()
        self._server.wait()

    def close(self) -> None:
        """Stop and let go of the transport, as a process does at its end."""
        self.stop()
        self._transport.cleanup()


class TransportBus:
    """Where the servers and clients of one test meet."""

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
        """A server that has started.

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
        """A client with a transport of its own; takes the options of ``get_rpc_client`` too."""
        return self.client_on(self.transport(), topic=topic, exchange=exchange, **options)

    def client_on(
        self, transport: Any, *, topic: str = TOPIC, exchange: str | None = None, version: str = "1.0", **options: Any
    ) -> Any:
        """A client on a transport that others may use as well."""
        target = oslo_messaging.Target(topic=topic, exchange=exchange, version=version)
        return oslo_messaging.get_rpc_client(transport, target, **{"timeout": CALL_TIMEOUT_SECONDS, **options})

    def transport(self, url: str | None = None, exception_modules: Sequence[str] = ()) -> Any:
        """A client's transport, closed at the end of the test."""
        url = url or self.place.client_url
        transport = oslo_messaging.get_rpc_transport(
            self._configuration(), url, allowed_remote_exmods=list(exception_modules)
        )
        self._opened.callback(transport.cleanup)
        return transport

    def notifier(self, topic: str = TOPIC) -> Any:
        """Whoever sends notifications."""
        transport = oslo_messaging.get_notification_transport(self._configuration(), self.place.client_url)
        self._opened.callback(transport.cleanup)
        return oslo_messaging.Notifier(transport, "contract", driver="messagingv2", topics=[topic], retry=0)

    def listener(self, endpoint: Any, *, topic: str = TOPIC, batch_size: int | None = None, **options: Any) -> Serving:
        """A listener for notifications that has started; takes the options of ``get_notification_listener`` too."""
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
    """For the fixture: a bus that is closed at the end."""
    # The idle threads of a server's pool look up once a second; each server would take that long to stop.
    monkeypatch.setattr("futurist._thread.ThreadWorker.MAX_IDLE_FOR", 0.02, raising=False)
    bus = TransportBus(place)
    try:
        yield bus
    finally:
        bus.close()


def wait_for(endpoint: Any, count: int) -> None:
    """Wait until ``endpoint`` has received at least so many."""
    poll(lambda: len(endpoint.received) >= count, f"{count} messages arrive", pause_seconds=0.005)


def succeeds(call: Callable[[], Any]) -> Any:
    """Whether a call is answered; one that finds nobody, or nobody yet, is not."""
    try:
        call()
    except oslo_messaging.MessagingException:
        return False
    return True

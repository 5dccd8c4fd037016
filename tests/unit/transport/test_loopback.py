"""Loopback: messages of a manager to its own consumers, that come back, get lost, or are not taken."""

from __future__ import annotations

import threading
from typing import Any

import oslo_messaging
import pytest

from cells import exceptions
from cells.transport import loopback
from cells.transport.loopback import Loopback

CONSUMERS = [oslo_messaging.Target(topic="cells", server="h"), oslo_messaging.Target(topic="other", server="h")]


class Broker:
    """A broker, in place of a client of oslo.messaging, that delivers to the topics that consume."""

    def __init__(self) -> None:
        self.consuming = {"cells", "other"}
        self.error: Exception | None = None
        self.loopback = Loopback(lambda: self, CONSUMERS)

    def client(self, transport: Any, target: oslo_messaging.Target, **_: Any) -> Any:
        self.target = target
        return self

    def cast(self, ctxt: dict[str, Any], method: str, token: str) -> None:
        if self.error is not None:
            raise self.error
        if self.target.topic in self.consuming:
            getattr(self.loopback.endpoint, method)(ctxt, token)

    def cleanup(self) -> None:
        self.consuming.clear()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(loopback.oslo_messaging, "get_rpc_client", broker.client)
    return broker


def test_all_consumers_consume(broker: Broker) -> None:
    broker.loopback.check(5)
    broker.loopback.check(5)
    broker.loopback.close()


def test_a_consumer_that_takes_nothing_is_named(broker: Broker) -> None:
    broker.consuming = {"cells"}
    with pytest.raises(exceptions.ManagerTimeout, match=r"other\.h"):
        broker.loopback.check(0.01)


def test_a_broker_that_takes_nothing(broker: Broker) -> None:
    broker.error = oslo_messaging.MessageDeliveryFailure("blocked")
    with pytest.raises(exceptions.ManagerTimeout):
        broker.loopback.check(5)


def test_a_foreign_token_is_ignored(broker: Broker) -> None:
    broker.loopback.endpoint.loop({}, "foreign")


def test_a_check_waits_for_another_one_and_does_not_disturb_it(broker: Broker) -> None:
    is_running, gate = threading.Event(), threading.Event()
    results: list[str] = []
    cast = broker.cast

    def slow_cast(*arguments: Any, **options: Any) -> None:
        is_running.set()
        gate.wait(10)
        cast(*arguments, **options)

    broker.cast = slow_cast  # type: ignore[method-assign]

    def check() -> None:
        broker.loopback.check(10)
        results.append("well")

    thread = threading.Thread(target=check)
    thread.start()
    assert is_running.wait(10)
    with pytest.raises(exceptions.ManagerTimeout, match="another check"):
        broker.loopback.check(0.01)
    gate.set()
    thread.join(10)
    assert results == ["well"]

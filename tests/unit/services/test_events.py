"""Events: notifications of oslo.messaging, of which each pool gets one copy."""

from __future__ import annotations

import queue
from typing import Any

import oslo_messaging

from cells.services import envelope, events
from tests.unit.services.conftest import MakeTransport

TARGET = oslo_messaging.Target(topic="inventory", exchange="openstack")
MESSAGE = {"method": "moved", "args": {"kind": "disk"}}


class Transport:
    """Double of a transport with a broker: its driver has no special way to listeners."""

    def __init__(self, driver: Any = None) -> None:
        self._driver = driver
        self.sent: list[tuple[Any, Any, Any, Any]] = []

    def _send(self, target: Any, ctxt: Any, message: Any, retry: Any) -> None:
        self.sent.append((target, ctxt, message, retry))


class Driver:
    def __init__(self) -> None:
        self.sent: list[tuple[Any, Any, Any]] = []

    def send_to_listeners(self, target: Any, ctxt: Any, message: Any) -> None:
        self.sent.append((target, ctxt, message))


def test_over_a_broker_events_go_to_the_topic_of_the_pools() -> None:
    transport = Transport()
    events.publish(transport, TARGET, {"user_id": "ada"}, MESSAGE, publisher="east", retry=1)
    ((target, ctxt, event, retry),) = transport.sent
    assert (target.topic, target.exchange, target.server, target.fanout) == ("inventory.info", "openstack", None, None)
    assert (ctxt, retry) == ({"user_id": "ada"}, 1)
    assert (event["event_type"], event["publisher_id"], event["priority"]) == ("moved", "east", "INFO")
    assert envelope.deserialize_msg(event["payload"]) == MESSAGE


def test_without_a_broker_events_go_to_the_present_listeners() -> None:
    driver = Driver()
    transport = Transport(driver)
    events.publish(transport, TARGET, {}, MESSAGE, publisher="east")
    assert transport.sent == []
    ((target, _, event),) = driver.sent
    assert target.topic == events.pool_topic("inventory")
    assert event["event_type"] == "moved"


def test_each_event_has_its_own_id() -> None:
    transport = Transport()
    for _ in range(2):
        events.publish(transport, TARGET, {}, MESSAGE, publisher="east")
    assert len({event["message_id"] for _, _, event, _ in transport.sent}) == 2


class Listener:
    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()

    def info(self, ctxt: Any, publisher_id: str, event_type: str, payload: Any, metadata: Any) -> None:
        self.heard.put((publisher_id, event_type, payload))


def test_each_pool_of_oslo_messaging_listeners_gets_the_event_once(make_transport: MakeTransport) -> None:
    pools = {"audit": Listener(), "billing": Listener()}
    servers = [
        oslo_messaging.get_notification_listener(
            make_transport(), [TARGET], [listener], executor="threading", pool=pool
        )
        for pool, listener in pools.items()
    ]
    for server in servers:
        server.start()
    try:
        events.publish(make_transport(), TARGET, {}, MESSAGE, publisher="east")
        for listener in pools.values():
            publisher, event_type, payload = listener.heard.get(timeout=10)
            assert (publisher, event_type) == ("east", "moved")
            assert envelope.deserialize_msg(payload) == MESSAGE
            assert listener.heard.empty()
    finally:
        for server in servers:
            server.stop()


def test_an_event_without_listeners_is_no_error(make_transport: MakeTransport) -> None:
    transport = make_transport()
    events.publish(transport, oslo_messaging.Target(topic="quiet"), {}, MESSAGE, publisher="east")
    assert len(transport._driver._resources.backlog()) == 0

"""Contract of a transport: notifications wait for a listener, and each pool gets each notification once."""

from __future__ import annotations

import functools
from typing import Any

import oslo_messaging
import pytest

from tests.contract.transport_bus import TransportBus, wait_for
from tools.polling import poll

PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")
PAYLOAD = {"Größe": [1, None, {"nested": True}]}


class Listening:
    """Endpoint with a method for each of the priorities; records (priority, payload)."""

    def __init__(self, *priorities: str) -> None:
        self.received: list[tuple[str, Any]] = []
        self.details: list[tuple[str, str, dict[str, Any]]] = []
        for priority in priorities:
            setattr(self, priority, functools.partial(self._take, priority))

    def _take(
        self,
        priority: str,
        ctxt: dict[str, Any],
        publisher_id: str,
        event_type: str,
        payload: Any,
        metadata: dict[str, Any],
    ) -> str | None:
        self.details.append((publisher_id, event_type, metadata))
        self.received.append((priority, payload))
        return None

    @property
    def payloads(self) -> list[Any]:
        return [payload for _, payload in self.received]


class Again(Listening):
    """Requeues each notification the first time."""

    def _take(self, *arguments: Any) -> str | None:
        super()._take(*arguments)
        payloads = self.payloads
        return oslo_messaging.NotificationResult.REQUEUE if payloads.count(payloads[-1]) == 1 else None


class Batches:
    """Endpoint for lists of notifications."""

    def __init__(self) -> None:
        self.received: list[list[int]] = []

    def info(self, messages: list[dict[str, Any]]) -> None:
        self.received.append([message["payload"] for message in messages])


class NotificationContract:
    """Base class; the name of a subclass starts with Test."""

    def test_notification_arrives_with_its_metadata(self, bus: TransportBus) -> None:
        listening = Listening("info")
        bus.listener(listening)
        bus.notifier().info({}, "thing.made", PAYLOAD)
        wait_for(listening, 1)
        assert listening.received == [("info", PAYLOAD)]
        ((publisher_id, event_type, metadata),) = listening.details
        assert (publisher_id, event_type) == ("contract", "thing.made")
        assert metadata["message_id"]
        assert metadata["timestamp"]

    @pytest.mark.parametrize("priorities", [("error", "critical"), PRIORITIES], ids=["some", "all"])
    def test_listener_gets_only_its_priorities(self, bus: TransportBus, priorities: tuple[str, ...]) -> None:
        listening, notifier = Listening(*priorities), bus.notifier()
        bus.listener(listening)
        for priority in PRIORITIES:
            getattr(notifier, priority)({}, "event", priority)
        wait_for(listening, len(priorities))
        assert sorted(listening.received) == sorted((priority, priority) for priority in priorities)

    def test_topics_are_separate(self, bus: TransportBus) -> None:
        one, two = Listening("info"), Listening("info")
        bus.listener(one, topic="one")
        bus.listener(two, topic="two")
        bus.notifier("one").info({}, "event", 1)
        bus.notifier("two").info({}, "event", 2)
        wait_for(one, 1)
        wait_for(two, 1)
        assert (one.payloads, two.payloads) == ([1], [2])

    def test_listeners_without_a_pool_share_the_notifications(self, bus: TransportBus) -> None:
        listening, notifier = [Listening("info"), Listening("info")], bus.notifier()
        for one in listening:
            bus.listener(one)
        for number in range(20):
            notifier.info({}, "event", number)
        check_shared(listening, 20)

    def test_requeued_notification_is_delivered_again(self, bus: TransportBus) -> None:
        again, notifier = Again("info"), bus.notifier()
        bus.listener(again, allow_requeue=True)
        for number in range(5):
            notifier.info({}, "event", number)
        wait_for(again, 10)
        assert sorted(again.payloads) == sorted(list(range(5)) * 2)

    def test_notification_is_not_requeued_unless_allowed(self, bus: TransportBus) -> None:
        again, notifier = Again("info"), bus.notifier()
        listener = bus.listener(again, allow_requeue=False)
        for number in range(5):
            notifier.info({}, "event", number)
        wait_for(again, 5)
        listener.stop()
        assert sorted(again.payloads) == list(range(5))

    def test_batches_are_limited_by_size_and_time(self, bus: TransportBus) -> None:
        batches, notifier = Batches(), bus.notifier()
        bus.listener(batches, batch_size=5, batch_timeout=0.5)
        for number in range(12):
            notifier.info({}, "event", number)
        poll(lambda: sum(map(len, batches.received)) >= 12, "all arrive")
        assert sorted(number for batch in batches.received for number in batch) == list(range(12))
        assert all(0 < len(batch) <= 5 for batch in batches.received)
        assert len(batches.received) < 12

    def test_notifications_wait_for_a_listener(self, bus: TransportBus) -> None:
        notifier, listening = bus.notifier(), Listening("info", "error")
        for number in range(10):
            notifier.info({}, "event", number)
        notifier.error({}, "event", 10)
        bus.listener(listening)
        wait_for(listening, 11)
        notifier.info({}, "event", 11)
        wait_for(listening, 12)
        assert sorted(listening.payloads) == list(range(12))

    def test_notifications_wait_for_a_listener_that_restarts(self, bus: TransportBus) -> None:
        notifier, first, second = bus.notifier(), Listening("info"), Listening("info")
        listener = bus.listener(first)
        notifier.info({}, "event", 0)
        wait_for(first, 1)
        listener.close()
        for number in range(1, 11):
            notifier.info({}, "event", number)
        bus.listener(second)
        wait_for(second, 10)
        assert first.payloads == [0]
        assert sorted(second.payloads) == list(range(1, 11))

    @pytest.mark.parametrize("pool", [None, "pool"])
    def test_listener_may_be_stopped_twice(self, bus: TransportBus, pool: str | None) -> None:
        listener = bus.listener(Listening("info"), pool=pool)
        listener.stop()
        listener.close()
        listener.close()


class PoolContract:
    """Base class; the name of a subclass starts with Test."""

    def test_each_pool_gets_each_notification_once(self, bus: TransportBus) -> None:
        pooled, other, without = [Listening("info"), Listening("info")], Listening("info"), Listening("info")
        for one in pooled:
            bus.listener(one, pool="several")
        bus.listener(other, pool="other")
        bus.listener(without)
        notifier = bus.notifier()
        for number in range(20):
            notifier.info({}, "event", number)
        check_shared(pooled, 20)
        check_shared([other], 20)
        check_shared([without], 20)


def check_shared(listening: list[Listening], count: int) -> None:
    """Check that each of ``count`` payloads arrived at one listener, and that each listener got some."""
    poll(lambda: sum(len(one.received) for one in listening) >= count, "all arrive")
    assert sorted(payload for one in listening for payload in one.payloads) == list(range(count))
    assert all(one.received for one in listening)

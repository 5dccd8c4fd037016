"""Patch unread_messages: a stopping server returns unread messages to the broker."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_messaging._drivers import amqpdriver, base, impl_rabbit

from cells.transport.patches import unread_messages
from cells.transport.patches.unread_messages import UNREAD_MESSAGES


class Queue:
    """A queue of kombu whose broker has closed the connection, or not."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.cancelled: list[str] = []
        self._problem = problem

    def cancel(self, tag: str) -> None:
        self.cancelled.append(tag)
        if self._problem is not None:
            raise self._problem


class Message:
    def __init__(self) -> None:
        self.requeued = 0

    def requeue(self) -> None:
        self.requeued += 1


def consumer(queue: Queue) -> Any:
    made = impl_rabbit.Consumer.__new__(impl_rabbit.Consumer)
    made.queue = queue
    made.callback = lambda _: pytest.fail("A stopped listener read a message")
    return made


def listener(consumers: dict[Any, str]) -> Any:
    """A listener of the library's own classes."""
    made = base.PollStyleListenerAdapter.__new__(base.PollStyleListenerAdapter)
    made._poll_style_listener = amqpdriver.AMQPListener.__new__(amqpdriver.AMQPListener)
    connection = impl_rabbit.Connection.__new__(impl_rabbit.Connection)
    connection._consumers = consumers
    made._poll_style_listener.conn = type("Context", (), {"connection": connection})()
    return made


def test_unread_messages_return_to_the_broker_even_if_one_consumer_fails() -> None:
    queues = [Queue(OSError("closed")), Queue()]
    consumers = [consumer(queue) for queue in queues]
    unread_messages.give_back(listener({one: str(number) for number, one in enumerate(consumers)}))
    assert [queue.cancelled for queue in queues] == [["0"], ["1"]]
    message = Message()
    consumers[0].callback(message)
    assert message.requeued == 1


def test_listeners_of_other_drivers_are_left_alone() -> None:
    unread_messages.give_back(object())


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UNREAD_MESSAGES, "is_disabled", True)
    queue = Queue()
    unread_messages.give_back(listener({consumer(queue): "0"}))
    assert queue.cancelled == []

"""A queue on a broker: fill it before a consumer starts, and measure when the consumption begins."""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

import amqp  # type: ignore[import-untyped]  # amqp has no types

from tools.polling import poll

#: Delivery mode of oslo.messaging's messages; only a durable queue writes them to disk.
PERSISTENT = 2
#: Polling interval, which limits the precision of start and end times.
PAUSE_SECONDS = 0.005


class BrokerQueue:
    """One queue, on its own connection."""

    def __init__(self, channel: amqp.Channel, name: str) -> None:
        self._channel = channel
        self.name = name

    def declare(self) -> None:
        """Declare the queue as oslo.messaging declares its queues."""
        self._channel.queue_declare(self.name, durable=False, auto_delete=False)

    def count(self) -> int:
        """Return the number of waiting messages, without those that a consumer holds."""
        return int(self._channel.queue_declare(self.name, passive=True).message_count)

    def purge(self) -> None:
        """Remove all messages."""
        self._channel.queue_purge(self.name)

    def fill(self, texts: Iterable[str]) -> None:
        """Publish each text as a message, and return when all of them wait."""
        count = self.count()
        for text in texts:
            self._channel.basic_publish(amqp.Message(text, delivery_mode=PERSISTENT), routing_key=self.name)
            count += 1
        self.wait_for(count)

    def wait_for(self, count: int, timeout_seconds: float = 120.0) -> float:
        """Return the time when ``count`` or more messages wait, on the monotonic clock."""
        return self._wait(lambda: self.count() >= count, f"{self.name} has {count} messages", timeout_seconds)

    def wait_until_taken_from(self, count: int, timeout_seconds: float = 120.0) -> float:
        """Return the time when the first of ``count`` messages has been taken, on the monotonic clock."""
        return self._wait(lambda: self.count() < count, f"{self.name} has a consumer", timeout_seconds)

    def _wait(self, condition: Callable[[], bool], event: str, timeout_seconds: float) -> float:
        poll(condition, event, timeout_seconds, PAUSE_SECONDS)
        return time.monotonic()


@contextlib.contextmanager
def opened(url: str, name: str) -> Iterator[BrokerQueue]:
    """Yield the queue ``name`` on the virtual host of a transport URL."""
    parsed = urllib.parse.urlsplit(url)
    with amqp.Connection(
        host=f"{parsed.hostname}:{parsed.port}",
        userid=parsed.username,
        password=parsed.password,
        virtual_host=parsed.path[1:],
    ) as connection:
        yield BrokerQueue(connection.channel(), name)

"""A queue on a broker: fill it before somebody empties it, and see when that begins."""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

import amqp  # type: ignore[import-untyped]  # it has none

from tools.polling import poll

#: As oslo.messaging sends: written to disk only by a queue that is durable.
PERSISTENT = 2
#: How exactly a start or an end is seen.
PAUSE_SECONDS = 0.005


class BrokerQueue:
    """One queue, over a connection of its own."""

    def __init__(self, channel: amqp.Channel, name: str) -> None:
        self._channel = channel
        self.name = name

    def declare(self) -> None:
        """Make it as oslo.messaging makes its own."""
        self._channel.queue_declare(self.name, durable=False, auto_delete=False)

    def count(self) -> int:
        """How many messages wait in it; what a consumer has been handed is not among them."""
        return int(self._channel.queue_declare(self.name, passive=True).message_count)

    def purge(self) -> None:
        """Empty it."""
        self._channel.queue_purge(self.name)

    def fill(self, texts: Iterable[str]) -> None:
        """Publish each as a message, and return when all of them wait."""
        count = self.count()
        for text in texts:
            self._channel.basic_publish(amqp.Message(text, delivery_mode=PERSISTENT), routing_key=self.name)
            count += 1
        self.wait_for(count)

    def wait_for(self, count: int, timeout_seconds: float = 120.0) -> float:
        """When so many wait in it, or more, because somebody else wrote to it, on the monotonic clock."""
        return self._wait(lambda: self.count() >= count, f"{self.name} has {count} messages", timeout_seconds)

    def wait_until_taken_from(self, count: int, timeout_seconds: float = 120.0) -> float:
        """When the first of ``count`` messages has been taken, on the monotonic clock."""
        return self._wait(lambda: self.count() < count, f"somebody consumes {self.name}", timeout_seconds)

    def _wait(self, is_there: Callable[[], bool], what: str, timeout_seconds: float) -> float:
        poll(is_there, what, timeout_seconds, PAUSE_SECONDS)
        return time.monotonic()


@contextlib.contextmanager
def opened(url: str, name: str) -> Iterator[BrokerQueue]:
    """The queue ``name`` on the virtual host of a transport URL."""
    parsed = urllib.parse.urlsplit(url)
    with amqp.Connection(
        host=f"{parsed.hostname}:{parsed.port}",
        userid=parsed.username,
        password=parsed.password,
        virtual_host=parsed.path[1:],
    ) as connection:
        yield BrokerQueue(connection.channel(), name)

"""Counters of events, for operators: a count remains visible after its log lines have scrolled away.

Each cell has its own registry instead of the process-wide one, because a process can contain
a tree of cells.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from cells.distribution import Distribution

NAME = "cells_events"
#: Bounds of the times of messages and calls, in seconds: from a message in memory to [cells] call_timeout.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Bounds of the numbers of messages that share a cast.
MESSAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Counters:
    """Event counters of one manager, by event and reason.  Thread-safe.

    The counts are numbers of its own, which the registry reads when it is asked: a counter of the library costs four
    function calls for each event of each message.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._received: Counter[str] = Counter()
        #: time from the queueing of a message for a neighbor until the neighbor's broker has it; of the first message
        #: of each cast
        self.send_seconds = Distribution(SECONDS)
        #: time of the calls that waited in this manager for answers of other cells
        self.call_seconds = Distribution(SECONDS)
        #: messages of each cast that was sent, and messages that were received together
        self.sent_together = Distribution(MESSAGES)
        self.received_together = Distribution(MESSAGES)
        self.registry.register(self)

    def count(self, event: str, reason: str = "", *, times: int = 1) -> None:
        """Add ``times`` to ``event``; ``reason`` is a class name or another word of a small set."""
        with self._lock:
            self._counts[event, reason] += times

    def count_received(self, message_types: Sequence[str]) -> None:
        """Count the readable messages that came together, in one cast or in frames that waited together.

        :param message_types: of each message, on the wire
        """
        with self._lock:
            self._counts["received", ""] += len(message_types)
            self._received.update(message_types)
        self.received_together.observe(len(message_types))

    def received(self) -> dict[str, int]:
        """Return the number of received messages by their type on the wire."""
        with self._lock:
            return dict(self._received)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric of all counts; called by the registry."""
        events = CounterMetricFamily(NAME, "What happened to messages, by event and reason", labels=["event", "reason"])
        for labels, count in self._all():
            events.add_metric(labels, count)
        yield events

    def as_dict(self) -> dict[str, int]:
        """Return all counts: ``{"rejected.MalformedMessage": 3}``."""
        return {".".join(filter(None, labels)): count for labels, count in self._all()}

    def _all(self) -> list[tuple[tuple[str, str], int]]:
        with self._lock:
            return list(self._counts.items())

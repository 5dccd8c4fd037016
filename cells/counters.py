"""Counters of events, for operators: a count remains visible after its log lines have scrolled away.

Each cell has its own registry instead of the process-wide one, because a process can contain
a tree of cells.
"""

from __future__ import annotations

import prometheus_client

NAMESPACE = "cells"


class Counters:
    """Event counters of one manager, by event and reason."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._events = prometheus_client.Counter(
            "events",
            "What happened to messages, by event and reason",
            ["event", "reason"],
            namespace=NAMESPACE,
            registry=self.registry,
        )

        #: cache of labels(), which takes a lock, while count() runs for each message
        self._known: dict[tuple[str, str], prometheus_client.Counter] = {}

    def count(self, event: str, reason: str = "", *, times: int = 1) -> None:
        """Add ``times`` to ``event``; ``reason`` is a class name or another word of a small set."""
        counter = self._known.get((event, reason))
        if counter is None:
            counter = self._known[event, reason] = self._events.labels(event, reason)
        counter.inc(times)

    def as_dict(self) -> dict[str, int]:
        """Return all counts that are not zero: ``{"rejected.MalformedMessage": 3}``."""
        return {
            ".".join(filter(None, (sample.labels["event"], sample.labels["reason"]))): int(sample.value)
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

"""What happened how often, so that an operator sees what a log line scrolled away.

One registry per cell, not the process-wide one: a tree of cells can live in one
process.
"""

from __future__ import annotations

import prometheus_client

NAMESPACE = "cells"


class Counters:
    """Counts of events of this manager, by event and reason."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._events = prometheus_client.Counter(
            "events",
            "What happened to messages, by event and reason",
            ["event", "reason"],
            namespace=NAMESPACE,
            registry=self.registry,
        )

        #: what labels() looks up under a lock, and this is called for each message
        self._known: dict[tuple[str, str], prometheus_client.Counter] = {}

    def count(self, event: str, reason: str = "", *, times: int = 1) -> None:
        """Add one, or ``times``, to ``event``; ``reason`` is a class name or another word of a small set."""
        counter = self._known.get((event, reason))
        if counter is None:
            counter = self._known[event, reason] = self._events.labels(event, reason)
        counter.inc(times)

    def as_dict(self) -> dict[str, int]:
        """All counts that are not zero: ``{"rejected.MalformedMessage": 3}``."""
        return {
            ".".join(filter(None, (sample.labels["event"], sample.labels["reason"]))): int(sample.value)
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

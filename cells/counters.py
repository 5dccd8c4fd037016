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

    def count(self, event: str, reason: str = "", *, times: int = 1) -> None:
        """Add one, or ``times``, to ``event``; ``reason`` is a class name or another word of a small set."""
        self._events.labels(event, reason).inc(times)

    def as_dict(self) -> dict[str, int]:
        """All counts that are not zero: ``{"rejected.MalformedMessage": 3}``."""
        return {
            ".".join(filter(None, (sample.labels["event"], sample.labels["reason"]))): int(sample.value)
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

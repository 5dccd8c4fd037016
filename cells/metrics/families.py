"""Families: the metrics of one scrape, in the order and with the texts of the table of names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from cells.distribution import Distribution
from cells.metrics.names import TABLE, Kind

_CLASSES = {
    Kind.GAUGE: GaugeMetricFamily,
    Kind.COUNTER: CounterMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


class Families:
    """The samples of one scrape.  Not thread-safe."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def add(self, name: str, *labels: str, value: float) -> None:
        """Add a sample of a gauge or counter of the table.

        :param labels: values, in the order of the table
        """
        self._family(name).add_metric(labels, value)

    def add_distribution(self, name: str, *labels: str, values: Distribution) -> None:
        """Add a histogram of the table."""
        counts, total = values.buckets()
        self._family(name).add_metric(labels, counts, total)

    def __iter__(self) -> Iterator[Metric]:
        return iter([self._made[name] for name in TABLE if name in self._made])

    def _family(self, name: str) -> Any:
        family = self._made.get(name)
        if family is None:
            entry = TABLE[name]
            made = _CLASSES[entry.kind](name, entry.text, labels=entry.labels)
            family = self._made[name] = made
        return family

"""Calls through cells compared with plain calls, measured alternately.

The speed of a machine drifts over seconds, so each round measures all kinds of calls and
has its own ratios; the report shows the median of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.timing import durations, percentile, rate

THREADS = 16


@dataclass
class Latency:
    """Durations of the calls of one kind, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    #: for each round: p50 of this kind relative to the p50 of plain calls
    ratios: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """The median in seconds."""
        return percentile(self.seconds, 50)

    @property
    def p95(self) -> float:
        """The duration that 95 % of the calls do not exceed, in seconds."""
        return percentile(self.seconds, 95)

    @property
    def ratio(self) -> float:
        """The median ratio of the rounds."""
        return statistics.median(self.ratios)


@dataclass
class Rate:
    """Calls per second of one kind, for each round."""

    per_second: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median ratio of the rounds."""
        return statistics.median(self.ratios)


@dataclass(frozen=True)
class Speed:
    """All results by kind of call; the kind ``plain`` is the unit."""

    latencies: Mapping[str, Latency]
    rates: Mapping[str, Rate]


def measure_kinds(
    kinds: Mapping[str, Callable[[], None]], loads: Mapping[str, Callable[[], None]], rounds: int, calls: int
) -> Speed:
    """Measure several kinds of calls; ``plain`` is the unit.

    :param kinds: calls to make one at a time
    :param loads: calls to make from many threads
    """
    speed = Speed({kind: Latency() for kind in kinds}, {kind: Rate() for kind in loads})
    for call in kinds.values():
        durations(call, max(calls // 2, 20))
    for call in loads.values():
        rate(call, THREADS, 10)
    for _ in range(rounds):
        _measure_latencies(kinds, calls, speed.latencies)
        _measure_rates(loads, calls, speed.rates)
    return speed


def _measure_latencies(kinds: Mapping[str, Callable[[], None]], calls: int, into: Mapping[str, Latency]) -> None:
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    # Alternate within a round too, after ten calls: enough to be warm, short compared with the drift.
    for _ in range(max(calls // 10, 1)):
        for kind, call in kinds.items():
            taken[kind] += durations(call, 10)
    unit = statistics.median(taken["plain"])
    for kind, seconds in taken.items():
        into[kind].seconds += seconds
        into[kind].ratios.append(statistics.median(seconds) / unit)


def _measure_rates(loads: Mapping[str, Callable[[], None]], calls: int, into: Mapping[str, Rate]) -> None:
    measured = {kind: rate(call, THREADS, calls) for kind, call in loads.items()}
    for kind, per_second in measured.items():
        into[kind].per_second.append(per_second)
        into[kind].ratios.append(per_second / measured["plain"])

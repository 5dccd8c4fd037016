"""Calls through cells against plain calls, in turns.

The speed of a machine drifts over seconds, so every round measures all of them
and gives ratios of its own; what is reported is the median of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.timing import durations, percentile, rate

THREADS = 16


@dataclass
class Latency:
    """What the calls of one kind took, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    #: per round: the p50 of this kind as a multiple of the p50 of plain calls
    ratios: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """Half of the calls took no longer, in seconds."""
        return percentile(self.seconds, 50)

    @property
    def p95(self) -> float:
        """19 of 20 calls took no longer, in seconds."""
        return percentile(self.seconds, 95)

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)


@dataclass
class Rate:
    """How many calls of one kind passed in a second, per round."""

    per_second: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)


@dataclass(frozen=True)
class Speed:
    """All that was measured, by kind of call; the kind ``plain`` is the unit."""

    latencies: Mapping[str, Latency]
    rates: Mapping[str, Rate]


def measure_kinds(
    kinds: Mapping[str, Callable[[], None]], loads: Mapping[str, Callable[[], None]], rounds: int, calls: int
) -> Speed:
    """Measure calls of several kinds, of which ``plain`` is the unit.

    :param kinds: what is called once at a time
    :param loads: what is called from many threads
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
    # In turns within a round too, ten at a time: long enough to be warm, short against the drift.
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

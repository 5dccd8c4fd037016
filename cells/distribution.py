"""Distribution of a measured value over fixed buckets: the cheapest form that a histogram of Prometheus can be made of.

A histogram of prometheus_client costs 3 microseconds for each value, more than a relay needs for all its counts.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

#: Values that wait for their buckets.
MAX_FRESH = 512


class Buckets(NamedTuple):
    """The values so far, in the form of a histogram of Prometheus."""

    #: (upper bound as a text, number of values up to it)
    counts: list[tuple[str, int]]
    #: of all values
    total: float


class Distribution:
    """Numbers of values between fixed bounds, and their sum.  Thread-safe."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """:param bounds: the upper bounds of the buckets, ascending; larger values have a bucket of their own"""
        self._bounds = tuple(bounds)
        self._lock = threading.Lock()
        #: values that are in no bucket yet.  To append is one atomic step, and costs a sixth of a count under a lock
        self._fresh: deque[float] = deque()
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._fresh.append(value)
        if len(self._fresh) >= MAX_FRESH:
            self._sort()

    def buckets(self) -> Buckets:
        """Return the values so far."""
        self._sort()
        with self._lock:
            counts, total = list(self._counts), self._total
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return Buckets(list(zip(names, accumulate(counts), strict=True)), total)

    def _sort(self) -> None:
        with self._lock:
            take = self._fresh.popleft
            # Other threads only append.  Sorted, the values need one search for each bucket.
            values = sorted([take() for _ in range(len(self._fresh))])
            ends = [*(bisect_right(values, bound) for bound in self._bounds), len(values)]
            before = 0
            for index, end in enumerate(ends):
                self._counts[index] += end - before
                before = end
            self._total += sum(values)

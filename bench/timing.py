"""Duration of single calls, and rate of concurrent calls."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence


def durations(call: Callable[[], object], count: int) -> list[float]:
    """Make ``count`` calls one after the other; return the duration of each in seconds."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return taken


def rate(call: Callable[[], object], threads: int, count: int) -> float:
    """Make ``count`` calls from each of ``threads`` threads; return the total calls per second.

    :raises Exception: the error of the first failed call
    """
    errors: list[BaseException] = []
    start = threading.Barrier(threads + 1)

    def work() -> None:
        start.wait()
        try:
            for _ in range(count):
                call()
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    taken = time.perf_counter() - started
    if errors:
        raise errors[0]
    return threads * count / taken


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that ``percent`` of ``values`` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

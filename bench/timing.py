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


def call_from_threads(call: Callable[[], object], threads: int, count: int) -> float:
    """Make ``count`` calls from each of ``threads`` threads; return their start time on the monotonic clock.

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
    started_at = time.monotonic()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return started_at


def rate(call: Callable[[], object], threads: int, count: int) -> float:
    """Make ``count`` calls from each of ``threads`` threads; return the total calls per second."""
    started_at = call_from_threads(call, threads, count)
    return threads * count / (time.monotonic() - started_at)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that ``percent`` of ``values`` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

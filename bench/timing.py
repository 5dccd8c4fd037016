"""How long calls take one by one, and how many of them pass at a time."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence


def durations(call: Callable[[], object], count: int) -> list[float]:
    """Make ``count`` calls one after the other and return the seconds that each took."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return taken


def rate(call: Callable[[], object], threads: int, count: int) -> float:
    """Make ``count`` calls from each of ``threads`` threads and return the calls per second of all.

    :raises Exception: what the first call that failed raised
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
    """The value that ``percent`` of ``values`` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

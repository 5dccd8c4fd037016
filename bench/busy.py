"""A ping through a cell while many calls of a slow service are in flight: long calls must not delay short calls."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.chain import Chain
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.timing import durations

CALLS = 200
SECONDS = 1.0
PINGS = 40


@dataclass(frozen=True)
class Busy:
    """Duration of a ping alone and beside the calls: p50 in seconds, and the ratio of both in each round."""

    idle_seconds: float
    busy_seconds: float
    ratios: list[float]


def rows(run: Run) -> list[Row]:
    """Return the row about a manager with slow services."""
    with run.virtual_hosts(2) as urls, directory() as made, Chain(made, urls) as chain:
        found = measure(chain, run.rounds)
    detail = f"p50 {found.idle_seconds * 1000:.1f} ms alone, {found.busy_seconds * 1000:.1f} ms beside them"
    label = f"ping beside {CALLS} calls of a service that take {SECONDS:g} s"
    return [Row(label, len(found.ratios), detail, statistics.median(found.ratios), "x", Aim("<=", 2.0, "x"))]


def measure(chain: Chain, rounds: int) -> Busy:
    """Measure pings alone and beside :data:`CALLS` calls, alternately; the pings continue until the calls end."""
    idle, busy = [], []
    _during_calls(chain, lambda: durations(chain.one_hop, 1))
    for _ in range(rounds):
        idle.append(statistics.median(durations(chain.one_hop, PINGS)))
        busy.append(statistics.median(_during_calls(chain, lambda: durations(chain.one_hop, PINGS))))
    ratios = [beside / alone for beside, alone in zip(busy, idle, strict=True)]
    return Busy(statistics.median(idle), statistics.median(busy), ratios)


def _during_calls(chain: Chain, measure_once: Callable[[], list[float]]) -> list[float]:
    """Call ``measure_once`` repeatedly while the service calls are in flight; return all durations."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            chain.slow_service(SECONDS)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(CALLS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    taken: list[float] = []
    while any(thread.is_alive() for thread in threads):
        taken += measure_once()
    if errors:
        raise errors[0]
    if time.monotonic() - started < SECONDS:
        raise RuntimeError("The service calls ended too early.")
    return taken

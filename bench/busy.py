"""A ping through a cell in which many calls of a service wait: long calls must not slow down short ones."""

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
    """What a ping takes, alone and beside the calls: the p50 in seconds, and per round the ratio of both."""

    idle_seconds: float
    busy_seconds: float
    ratios: list[float]


def rows(run: Run) -> list[Row]:
    """The line about a manager whose services are slow."""
    with run.virtual_hosts(2) as urls, directory() as made, Chain(made, urls) as chain:
        found = measure(chain, run.rounds)
    detail = f"p50 {found.idle_seconds * 1000:.1f} ms alone, {found.busy_seconds * 1000:.1f} ms beside them"
    what = f"ping beside {CALLS} calls of a service that take {SECONDS:g} s"
    return [Row(what, len(found.ratios), detail, statistics.median(found.ratios), "x", Aim("<=", 2.0, "x"))]


def measure(chain: Chain, rounds: int) -> Busy:
    """Ping alone and beside :data:`CALLS` calls in turns; the pings are spread over the time that these wait."""
    idle, busy = [], []
    _beside(chain, lambda: durations(chain.one_hop, 1))
    for _ in range(rounds):
        idle.append(statistics.median(durations(chain.one_hop, PINGS)))
        busy.append(statistics.median(_beside(chain, lambda: durations(chain.one_hop, PINGS))))
    ratios = [beside / alone for beside, alone in zip(busy, idle, strict=True)]
    return Busy(statistics.median(idle), statistics.median(busy), ratios)


def _beside(chain: Chain, measured: Callable[[], list[float]]) -> list[float]:
    """Call ``measured`` again and again from the first of the calls to the last, and give all that it measured."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            chain.resting_service(SECONDS)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(CALLS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    taken: list[float] = []
    while any(thread.is_alive() for thread in threads):
        taken += measured()
    if errors:
        raise errors[0]
    if time.monotonic() - started < SECONDS:
        raise RuntimeError("The calls did not take the time that they should.")
    return taken

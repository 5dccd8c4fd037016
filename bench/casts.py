"""Casts from many threads, from a client until all have reached their endpoint, against plain casts.

Each way of casting is measured in turns; a rate counts from the first cast to the
arrival of the last one, so that what waits somewhere on the way is not counted too early.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.arrivals import Arrived, last_arrival
from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.speed import THREADS

#: Casts of each thread and round, as a multiple of what a round has of calls.
CASTS_FOR_A_CALL = 3


@dataclass(frozen=True)
class Way:
    """One way of casting.

    :param cast: takes the arguments of the endpoint ``arrive``
    :param arrived: tells what has arrived
    """

    cast: Callable[[Mapping[str, Any]], object]
    arrived: Arrived


def rows(run: Run) -> list[Row]:
    """The lines about casts."""
    with (
        run.many_connections(3) as urls,
        directory() as made,
        PlainCall(urls[0]) as plain,
        Chain(made, urls[1:]) as chain,
    ):
        plain_rates, cells_rates = measure(plain_way(plain), one_hop_way(chain), run.rounds, run.calls)
    ratios = [cells / plain for plain, cells in zip(plain_rates, cells_rates, strict=True)]
    return [
        Row("plain casts, 16 threads (the unit)", run.rounds, _detail(plain_rates), 1.0, "x"),
        Row(
            "one-hop casts, 16 threads",
            run.rounds,
            _detail(cells_rates),
            statistics.median(ratios),
            "x",
            Aim(">=", 1.0, "x"),
        ),
    ]


def plain_way(plain: PlainCall) -> Way:
    """A client casts to a server."""
    return Way(
        cast=lambda arguments: plain.client.cast({}, "arrive", **arguments),
        arrived=lambda series, expected: plain.client.call({}, "arrived", series=series, expected=expected),
    )


def one_hop_way(chain: Chain) -> Way:
    """A client casts to its manager, which sends it on to an endpoint of the child."""
    return Way(
        cast=lambda arguments: chain.api.cast(chain.context, chain.path(1), "arrive", arguments),
        arrived=lambda series, expected: chain.call(1, "arrived", series=series, expected=expected),
    )


def measure(plain: Way, cells: Way, rounds: int, calls: int) -> tuple[list[float], list[float]]:
    """Casts per second of both ways, in each round."""
    count = calls * CASTS_FOR_A_CALL
    rates: tuple[list[float], list[float]] = ([], [])
    for way in (plain, cells):
        rate(way, "warm", 20)
    for number in range(rounds):
        for way, found in zip((plain, cells), rates, strict=True):
            found.append(rate(way, str(number), count))
    return rates


def rate(way: Way, series: str, count: int) -> float:
    """Cast ``count`` times from each thread; casts per second until the last has arrived."""
    numbers = itertools.count()
    errors: list[BaseException] = []
    start = threading.Barrier(THREADS + 1)

    def work() -> None:
        start.wait()
        try:
            for _ in range(count):
                way.cast({"series": series, "number": next(numbers)})
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    start.wait()
    started_at = time.monotonic()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return THREADS * count / (last_arrival(way.arrived, series, THREADS * count) - started_at)


def _detail(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f} casts/s, lowest {min(rates):.0f}, highest {max(rates):.0f}"

"""Casts from many threads to an endpoint, compared with plain casts.

The methods of casting are measured alternately.  A rate is measured from the first cast to
the arrival of the last cast, so that queued casts are not counted too early.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.arrivals import Arrived, last_arrival
from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.speed import THREADS
from bench.timing import call_from_threads

#: Casts of each thread and round for each call of a round.
CASTS_FOR_A_CALL = 3
#: [upgrade_levels] cells of a client whose managers all support this version.
CAP = "1.2"


@dataclass(frozen=True)
class CastMethod:
    """A method of casting.

    :param cast: casts to the endpoint ``arrive`` with these arguments
    :param arrived: returns the casts that have arrived
    """

    cast: Callable[[Mapping[str, Any]], object]
    arrived: Arrived


def rows(run: Run) -> list[Row]:
    """Return the rows about casts."""
    with (
        run.many_connections(3) as urls,
        directory() as made,
        PlainCall(urls[0]) as plain,
        Chain(made, urls[1:]) as chain,
    ):
        methods = [plain_casts(plain), *(one_hop_casts(chain, cap) for cap in (None, CAP))]
        rates = measure(methods, run.rounds, run.calls)
    plain_rates, cells_rates, capped_rates = rates
    return [
        rate_row("plain casts, 16 threads (the unit)", plain_rates, plain_rates),
        rate_row("one-hop casts, 16 threads", cells_rates, plain_rates, Aim(">=", 1.0, "x")),
        rate_row(f"the same under [upgrade_levels] cells = {CAP}", capped_rates, plain_rates),
    ]


def plain_casts(plain: PlainCall) -> CastMethod:
    """Return the method in which a client casts to a server."""
    return CastMethod(
        cast=lambda arguments: plain.client.cast({}, "arrive", **arguments),
        arrived=lambda series, expected: plain.client.call({}, "arrived", series=series, expected=expected),
    )


def one_hop_casts(chain: Chain, cap: str | None) -> CastMethod:
    """Return the method in which a client casts to its manager, which forwards to an endpoint of the child.

    :param cap: [upgrade_levels] cells of the client
    """
    api = chain.client(cap)
    return CastMethod(
        cast=lambda arguments: api.cast(chain.context, chain.path(1), "arrive", arguments),
        arrived=lambda series, expected: chain.call(1, "arrived", series=series, expected=expected),
    )


def measure(methods: Sequence[CastMethod], rounds: int, calls: int) -> list[list[float]]:
    """Return the casts per second of each method, in each round."""
    count = calls * CASTS_FOR_A_CALL
    for index, method in enumerate(methods):
        rate(method, f"warm-{index}", 20)
    rates: list[list[float]] = [[] for _ in methods]
    for number in range(rounds):
        for index, method in enumerate(methods):
            rates[index].append(rate(method, f"{number}-{index}", count))
    return rates


def rate(method: CastMethod, series: str, count: int) -> float:
    """Cast ``count`` times from each thread; return the casts per second until the last has arrived."""
    numbers = itertools.count()
    started_at = call_from_threads(lambda: method.cast({"series": series, "number": next(numbers)}), THREADS, count)
    return THREADS * count / (last_arrival(method.arrived, series, THREADS * count) - started_at)


def rate_row(label: str, rates: list[float], unit: list[float], aim: Aim | None = None) -> Row:
    """Return the row about the casts per second of one method.

    :param unit: the casts per second of plain casts, in the same rounds
    """
    return Row(label, len(rates), _detail(rates), _ratio(rates, unit), "x", aim)


def _ratio(rates: list[float], unit: list[float]) -> float:
    return statistics.median(each / one for each, one in zip(rates, unit, strict=True))


def _detail(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f} casts/s, lowest {min(rates):.0f}, highest {max(rates):.0f}"

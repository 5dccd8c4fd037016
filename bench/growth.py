"""Cost as the tree grows: more hops, more children, larger messages, more managers in a cell.

Hops, size and managers are measured with real managers on a RabbitMQ node of the benchmark's
own, because they need too many connections for a shared node; children are measured in one
process on the memory driver.  The documentation shows the figures as plots, which
:mod:`bench.plots` draws.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bench import broadcast, plots
from bench.answers import check_answers
from bench.chain import NAMES, Chain
from bench.plain import PlainCall
from bench.plots import Figure
from bench.report import Row
from bench.run import Run, directory
from bench.speed import THREADS
from bench.timing import durations, rate
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.testing import CellTree

DEPTHS = (1, 2, 3, 4, 5, 6)
WIDTHS = (1, 10, 25, 50, 75, 100)
SIZES_BYTES = (100, 1_000, 10_000, 100_000, 1_000_000)
MANAGERS = (1, 2, 3, 4)
#: Calls of 1 MB are slow, so their number is divided by this.
DIVISOR = 5
TIMEOUT_SECONDS = 30.0
Key = TypeVar("Key")


def rows(run: Run) -> list[Row]:
    """Return a row for each point of each plot, and write the plots to the directory of the run."""
    figures = list(_measured(run))
    if run.figures is not None:
        _keep(figures, run.figures)
    return [
        Row(f"{figure.name}: {line}, {x:,.0f} {figure.x_label}", run.rounds, "", y, f" {figure.unit}")
        for figure in figures
        for line, values in figure.lines.items()
        for x, y in zip(figure.x, values, strict=True)
    ]


def _measured(run: Run) -> Iterator[Figure]:
    yield _width(run)
    with run.many_connections(len(NAMES) + 1) as (plain_url, *urls):
        yield _depth(run, urls)
        yield _size(run, plain_url, urls[:2])
        yield _managers(run, urls[:2])


def _depth(run: Run, urls: list[str]) -> Figure:
    """Measure calls to the cells at each depth of a chain, alternately."""
    with directory() as made, Chain(made, urls) as chain:
        calls = {hops: functools.partial(chain.call, hops) for hops in DEPTHS}
        taken = _medians(calls, run)
    return Figure("depth", "hops", "ms", DEPTHS, {"call": [1000 * taken[hops] for hops in DEPTHS]})


def _size(run: Run, plain_url: str, urls: list[str]) -> Figure:
    """Measure calls over one hop with an argument of each size, beside plain calls with the same argument."""
    with (
        directory() as made,
        PlainCall(plain_url) as plain,
        Chain(made, urls) as chain,
    ):
        texts = {size: "x" * size for size in SIZES_BYTES}
        kinds: dict[tuple[str, int], Callable[[], object]] = {}
        for size, text in texts.items():
            kinds["call over one hop", size] = functools.partial(chain.call, 1, "length", text=text)
            kinds["plain call", size] = functools.partial(plain.client.call, {}, "length", text=text)
        taken = _medians(kinds, run)
    lines = {line: [1000 * taken[line, size] for size in SIZES_BYTES] for line in ("call over one hop", "plain call")}
    return Figure("size", "bytes", "ms", SIZES_BYTES, lines, is_logarithmic=True)


def _managers(run: Run, urls: list[str]) -> Figure:
    """Measure calls over one hop from many threads, with each number of managers in both cells."""
    found = []
    for managers in MANAGERS:
        with directory() as made, Chain(made, urls, managers=managers) as chain:
            rate(chain.one_hop, THREADS, 10)
            found.append(statistics.median(rate(chain.one_hop, THREADS, run.calls) for _ in range(run.rounds)))
    return Figure("managers", "managers in each cell", "calls/s", MANAGERS, {f"{THREADS} threads": found})


def _width(run: Run) -> Figure:
    """Measure a broadcast to each number of children, and a call to one child."""
    broadcasts, calls = [], []
    for width in WIDTHS:
        names = [f"child{number}" for number in range(width)]
        with CellTree({"top": {name: {} for name in names}}, endpoints=broadcast.METHODS) as tree:
            api = CellsAPI(tree["top"].transport, timeout=TIMEOUT_SECONDS)
            taken = _medians(
                {
                    "broadcast": functools.partial(_broadcast, api, width + 1),
                    "call": functools.partial(api.call, get_admin_context(), "top!" + names[-1], "ping"),
                },
                run,
            )
        broadcasts.append(1000 * taken["broadcast"])
        calls.append(1000 * taken["call"])
    return Figure("width", "children", "ms", WIDTHS, {"broadcast to all": broadcasts, "call of one": calls})


def _broadcast(api: CellsAPI, cells: int) -> None:
    check_answers(api.broadcast_call(get_admin_context(), "ping"), cells)


def _medians(calls: dict[Key, Callable[[], object]], run: Run) -> dict[Key, float]:
    """Return the median duration of the calls of each kind in seconds, measured alternately."""
    each = max(run.calls // DIVISOR, 3)
    taken: dict[Key, list[float]] = {key: [] for key in calls}
    for call in calls.values():
        durations(call, 3)
    for _ in range(run.rounds):
        for key, call in calls.items():
            taken[key] += durations(call, each)
    return {key: statistics.median(seconds) for key, seconds in taken.items()}


def _keep(figures: list[Figure], place: Path) -> None:
    (place / "growth.json").write_text(json.dumps([figure.as_dict() for figure in figures], indent=2) + "\n")
    for figure in figures:
        plots.draw(figure, place / f"growth-{figure.name}.svg")

"""A broadcast to a hundred slow cells, and the same broadcast when some of the cells never answer.

All cells run in this process, on the memory driver: on a small machine a hundred
processes would measure how they share the cores.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench import endpoints
from bench.answers import check_answers
from bench.report import Aim, Row
from bench.run import Run
from bench.timing import percentile
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.testing import CellTree

#: One cell above ten cells with nine children each: a hundred cells that answer.
TOP = "top"
SHAPE = {TOP: {f"mid{mid}": {f"leaf{mid}x{leaf}": {} for leaf in range(9)} for mid in range(10)}}
CELLS = 100
SILENT = 10
ROUNDS_FOR_ONE = 4
TIMEOUT_SECONDS = 20.0
METHODS = (endpoints.sleep, endpoints.arrive, endpoints.arrived, endpoints.length)


def rows(run: Run) -> list[Row]:
    """Return the rows about broadcasts."""
    names = [name for mid, leaves in SHAPE[TOP].items() for name in (mid, *leaves)]
    whole: list[float] = []
    others: list[float] = []
    beside_silent: list[float] = []
    silent = random.Random(SILENT).sample(names, SILENT)
    with CellTree(SHAPE, endpoints=METHODS) as tree:
        api = CellsAPI(tree[TOP].transport, timeout=TIMEOUT_SECONDS)
        _collect(api, 0, [])
        for seed in range(1, run.rounds * ROUNDS_FOR_ONE + 1):
            slowest = max(endpoints.sleep_seconds(name, seed) for name in names)
            slowest_other = max(endpoints.sleep_seconds(name, seed) for name in names if name not in silent)
            whole.append(_collect(api, seed, []) / slowest)
            others.append(_stream(api, seed, silent, []) / slowest_other)
            beside_silent.append(_stream(api, seed, silent, silent) / slowest_other)
    ratio = statistics.median(silence / none for silence, none in zip(beside_silent, others, strict=True))
    return [
        Row(
            f"broadcast to {CELLS} cells, p95, as a multiple of the slowest cell",
            len(whole),
            f"each sleeps {endpoints.SHORTEST * 1000:.0f} to {endpoints.LONGEST * 1000:.0f} ms; "
            f"median {statistics.median(whole):.2f}x",
            percentile(whole, 95),
            "x",
            Aim("<=", 1.2, "x"),
        ),
        Row(
            f"the answers of {CELLS - SILENT} cells beside {SILENT} silent ones, relative to no silent ones",
            len(others),
            f"p95 {percentile(beside_silent, 95):.2f}x of the slowest, without {percentile(others, 95):.2f}x",
            ratio,
            "x",
            Aim("<=", 1.1, "x"),
        ),
    ]


def _collect(api: CellsAPI, seed: int, silent: Sequence[str]) -> float:
    """Return the seconds until the caller has the answers of all cells."""
    started = time.perf_counter()
    arguments = {"seed": seed, "silent": list(silent)}
    answers = api.broadcast_call(get_admin_context(), "sleep", arguments, run_locally=False)
    taken = time.perf_counter() - started
    check_answers(answers, CELLS)
    return taken


def _stream(api: CellsAPI, seed: int, unwanted: Sequence[str], silent: Sequence[str]) -> float:
    """Return the seconds until the caller has the answers of all cells except ``unwanted``."""
    with _silence():
        started = time.perf_counter()
        missing = CELLS - len(unwanted)
        for answer in _answers(api, seed, silent):
            if answer.error is not None:
                raise RuntimeError(f"An answer to a broadcast is the error {answer.error}.")
            missing -= answer.value not in unwanted
            if not missing:
                return time.perf_counter() - started
        raise RuntimeError(f"A broadcast ended without the answers of {missing} cells.")


def _answers(api: CellsAPI, seed: int, silent: Sequence[str]) -> Iterator[Any]:
    arguments = {"seed": seed, "silent": list(silent)}
    return iter(
        api.broadcast_stream(get_admin_context(), "sleep", arguments, direction="down", timeout=TIMEOUT_SECONDS)
    )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the silent cells from answering until the end of the block."""
    endpoints.END_OF_SILENCE.clear()
    try:
        yield
    finally:
        endpoints.END_OF_SILENCE.set()

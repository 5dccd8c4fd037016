"""Endpoints of the benchmark.  They are installed where the managers find them.

This file needs no other module of the benchmark, because the managers' processes load a copy of it.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any

from cells.endpoints import Call, endpoint

#: Shortest and longest duration of :func:`sleep`, in seconds.
SHORTEST, LONGEST = 0.05, 0.2
#: When set, silent cells may answer.
END_OF_SILENCE = threading.Event()
LONGEST_SILENCE_SECONDS = 60.0

#: Series -> (number, time) of its casts; all processes share the monotonic clock.
_arrivals: dict[str, list[tuple[int, float]]] = defaultdict(list)


@endpoint(blocks=False)
def arrive(call: Call, series: str, number: int, filler: str = "") -> None:  # noqa: ARG001  # an endpoint's signature
    """Count a cast."""
    _arrivals[series].append((number, time.monotonic()))


@endpoint(blocks=False)
def arrived(call: Call, series: str, expected: int) -> dict[str, Any]:  # noqa: ARG001
    """Return how many casts of a series have arrived; if all have, also how many differ and the last arrival time."""
    return summary(_arrivals[series], expected)


def summary(arrivals: list[tuple[int, float]], expected: int) -> dict[str, Any]:
    """Return the answer of :func:`arrived`; cheap while casts are missing, because it is called repeatedly."""
    count = len(arrivals)
    if count < expected:
        return {"count": count}
    arrivals = list(arrivals)
    return {
        "count": len(arrivals),
        "different": len({number for number, _when in arrivals}),
        "last_at": max(when for _number, when in arrivals),
    }


@endpoint(blocks=False)
def length(call: Call, text: str) -> int:  # noqa: ARG001
    """Return the length of an argument of any size."""
    return len(text)


@endpoint
def sleep(call: Call, seed: int, silent: list[str]) -> str:
    """Sleep for a time that depends on the cell and on ``seed``; cells in ``silent`` do not answer."""
    name = call.cell.name
    if name in silent:
        END_OF_SILENCE.wait(LONGEST_SILENCE_SECONDS)
    else:
        time.sleep(sleep_seconds(name, seed))
    return name


def sleep_seconds(name: str, seed: int) -> float:
    """Return the duration of :func:`sleep` in a cell."""
    return random.Random(f"{name} {seed}").uniform(SHORTEST, LONGEST)

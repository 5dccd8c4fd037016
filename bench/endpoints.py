"""What the benchmark calls in other cells: it is copied to where managers find it installed.

A file of its own, that needs nothing else of the benchmark: it runs in their processes.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any

from cells.endpoints import Call, endpoint

#: How long a cell takes for :func:`rest`, in seconds.
SHORTEST, LONGEST = 0.05, 0.2
#: Set: cells that were told to be silent may answer.
END_OF_SILENCE = threading.Event()
LONGEST_SILENCE_SECONDS = 60.0

#: By series: the numbers that came, each with its time on the monotonic clock, which all processes share.
_arrivals: dict[str, list[tuple[int, float]]] = defaultdict(list)


@endpoint(blocks=False)
def arrive(call: Call, series: str, number: int, filler: str = "") -> None:  # noqa: ARG001  # an endpoint's signature
    """Count a cast."""
    _arrivals[series].append((number, time.monotonic()))


@endpoint(blocks=False)
def arrived(call: Call, series: str, expected: int) -> dict[str, Any]:  # noqa: ARG001
    """How many casts of a series have come; once it is as many as expected, how many differ, and when the last came."""
    return summary(_arrivals[series], expected)


def summary(arrivals: list[tuple[int, float]], expected: int) -> dict[str, Any]:
    """What :func:`arrived` answers: cheap as long as more are to come, because it is asked again and again."""
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
    """Take an argument of any size."""
    return len(text)


@endpoint
def rest(call: Call, seed: int, silent: list[str]) -> str:
    """Take a while, which depends on the cell and on ``seed``; cells in ``silent`` do not answer at all."""
    name = call.cell.name
    if name in silent:
        END_OF_SILENCE.wait(LONGEST_SILENCE_SECONDS)
    else:
        time.sleep(seconds_of_rest(name, seed))
    return name


def seconds_of_rest(name: str, seed: int) -> float:
    """How long a cell takes for :func:`rest`."""
    return random.Random(f"{name} {seed}").uniform(SHORTEST, LONGEST)

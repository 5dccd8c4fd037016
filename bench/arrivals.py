"""Waiting until all casts of a series have reached their endpoint, each of them once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Asks :func:`bench.endpoints.arrived` of a series of which so many are expected.
Arrived = Callable[[str, int], dict[str, Any]]

PAUSE_SECONDS = 0.2
#: Nothing came for so long: what is missing does not come any more.
PATIENCE_SECONDS = 20.0


def last_arrival(arrived: Arrived, series: str, count: int) -> float:
    """When the last of so many casts arrived, on the monotonic clock.

    :raises TimeoutError: some are missing; says how many came
    :raises RuntimeError: some came twice
    """
    seen, changed_at = 0, time.monotonic()
    while True:
        found = arrived(series, count)
        if found["count"] >= count:
            break
        now = time.monotonic()
        if found["count"] > seen:
            seen, changed_at = found["count"], now
        if now - changed_at > PATIENCE_SECONDS:
            raise TimeoutError(f"{seen} of {count} casts arrived, and then none for {PATIENCE_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)
    if found["different"] != found["count"]:
        raise RuntimeError(f"{found['count']} casts arrived, but only {found['different']} of {count} different ones.")
    return float(found["last_at"])

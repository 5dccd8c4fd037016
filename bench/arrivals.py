"""Wait until all casts of a series have reached their endpoint, and check that none arrived twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Calls :func:`bench.endpoints.arrived` with a series and the expected number of its casts.
Arrived = Callable[[str, int], dict[str, Any]]

PAUSE_SECONDS = 0.2
#: If no cast arrives for this long, the missing casts are considered lost.
STALL_SECONDS = 20.0


def last_arrival(arrived: Arrived, series: str, count: int) -> float:
    """Return the arrival time of the last of ``count`` casts, on the monotonic clock.

    :raises TimeoutError: casts are missing; the text says how many arrived
    :raises RuntimeError: a cast arrived twice
    """
    seen, changed_at = 0, time.monotonic()
    while True:
        found = arrived(series, count)
        if found["count"] >= count:
            break
        now = time.monotonic()
        if found["count"] > seen:
            seen, changed_at = found["count"], now
        if now - changed_at > STALL_SECONDS:
            raise TimeoutError(f"{seen} of {count} casts arrived, and then none for {STALL_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)
    if found["different"] != found["count"]:
        raise RuntimeError(f"{found['count']} casts arrived, but only {found['different']} of {count} are different.")
    return float(found["last_at"])

"""Waiting until all casts of a series have reached their endpoint, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.polling import poll

#: Asks :func:`bench.endpoints.arrived` of a series.
Arrived = Callable[[str], dict[str, Any]]

PAUSE_SECONDS = 0.2


def last_arrival(arrived: Arrived, series: str, count: int, timeout_seconds: float = 120.0) -> float:
    """When the last of so many casts arrived, on the monotonic clock.

    :raises TimeoutError: some are missing; says how many came
    :raises RuntimeError: some came twice
    """
    found: dict[str, Any] = {}

    def is_complete() -> bool:
        found.update(arrived(series))
        return bool(found["count"] >= count)

    try:
        poll(is_complete, "all casts have arrived", timeout_seconds, PAUSE_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"{found['count']} of {count} casts arrived within {timeout_seconds:.0f} s.") from error
    if found["different"] != found["count"]:
        raise RuntimeError(f"{found['count']} casts arrived, but only {found['different']} of {count} different ones.")
    return float(found["last_at"])

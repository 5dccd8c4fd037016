"""The share of a call's timeout that each cell on the way keeps, so that a child answers before its parent gives up.

Messages carry the remaining seconds, never a time of day: the clocks of two cells differ.
"""

from __future__ import annotations

from collections.abc import Callable

from cells import exceptions

#: Each hop keeps this share of the remaining seconds, up to a maximum.
SHARE = 0.05
MOST_SECONDS = 0.5

#: Longer timeouts are refused as a mistake; some libraries cannot wait longer.
LONGEST_SECONDS = 7 * 86400.0


def shrink(seconds: float, hops: int = 1) -> float:
    """Return the remaining seconds for a cell that is ``hops`` steps away."""
    for _ in range(hops):
        seconds -= min(SHARE * seconds, MOST_SECONDS)
    return seconds


def want_timeout(
    timeout: object,
    name: str = "The timeout",
    refusal: Callable[[str], exceptions.CellsError] = exceptions.InvalidArguments,
) -> float:
    """Return ``timeout`` if it is a number of seconds that a call can take.

    :param name: the subject of the error text
    :param refusal: the class of the error, or a function that makes the error of its text
    :raises cells.exceptions.CellsError: the error of ``refusal``
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST_SECONDS:
        raise refusal(
            f"{name} must be a number of seconds above 0, at most {LONGEST_SECONDS:.0f}, not {timeout!r:.40}."
        )
    return float(timeout)

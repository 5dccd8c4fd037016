"""How much of a call's time each cell on the way keeps, so that a child answers before its parent gives up.

What travels is seconds that are left, never a time of day: the clocks of two cells differ.
"""

from __future__ import annotations

from cells import exceptions

#: Of what is left, and no more than so many seconds.
SHARE = 0.05
MOST_SECONDS = 0.5

#: Longer times are taken for a mistake, and are more than some of the libraries can wait.
LONGEST_SECONDS = 7 * 86400.0


def shrink(seconds: float, hops: int = 1) -> float:
    """The seconds that are left for who is ``hops`` steps further away."""
    for _ in range(hops):
        seconds -= min(SHARE * seconds, MOST_SECONDS)
    return seconds


def want_timeout(timeout: object, name: str = "The timeout") -> float:
    """``timeout``, checked to be a number of seconds that a call can take.

    :raises cells.exceptions.InvalidArguments: it is none
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST_SECONDS:
        raise exceptions.InvalidArguments(
            f"{name} must be a number of seconds over 0, at most {LONGEST_SECONDS:.0f}, not {timeout!r:.40}."
        )
    return float(timeout)

"""Wait for a condition.  Tests use this instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Longest pause between two checks; the first is a millisecond, and each is twice as long as the one before.
PAUSE_SECONDS = 0.05


def poll(
    condition: Callable[[], T], what: str, timeout_seconds: float = 60.0, pause_seconds: float = PAUSE_SECONDS
) -> T:
    """Call ``condition`` until its result is true, and return the result.

    :param what: the expected event, for the error text
    :param pause_seconds: longest pause between two calls
    :raises TimeoutError: the result was never true before the timeout
    """
    deadline = time.monotonic() + timeout_seconds
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {timeout_seconds:.0f} s: {what}. Last result: {value!r:.500}")
        time.sleep(min(pause, pause_seconds))
        pause *= 2

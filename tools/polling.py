"""Waiting for something to become true, which is never the same as sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.05


def poll(
    condition: Callable[[], T], what: str, timeout_seconds: float = 20.0, pause_seconds: float = PAUSE_SECONDS
) -> T:
    """Call ``condition`` until it gives something true, and return that.

    :param what: what is waited for, as the error says it
    :raises TimeoutError: it did not become true in time
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {timeout_seconds:.0f} s: {what}. Last seen: {value!r:.500}")
        time.sleep(pause_seconds)

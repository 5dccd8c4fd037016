"""A clock that a test advances, in place of the clock of the system."""

from __future__ import annotations


class Clock:
    """Seconds since an arbitrary start, as ``time.monotonic`` returns them."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

"""The clock of one side of a connection: how long the round trip is, and how long frames were on their way.

The clocks of two managers have different origins, so one side cannot know how long a frame took.  But it knows how much
longer the frame took than the fastest frame of the last minutes: that is the time in the buffers of both sides and of
the network.  The fastest frame is assumed to have taken half of the shortest round trip.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from cells.drivers.direct.frames import Echo, Heartbeat

#: The fastest frame is that of one to two such periods.  Two clocks drift by some 10 us a second.
PERIOD_SECONDS = 60.0


def microseconds(seconds: float) -> int:
    """Return a time of the clock as frames contain it."""
    return int(seconds * 1e6)


class LinkClock:
    """Clock, heartbeats and delays of one connection."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """:param clock: seconds, never decreasing, from 0 on"""
        self._clock = clock
        self._peer_clock: int | None = None
        self._heard_at = 0
        #: seconds of the last round trip; None before the first
        self.round_trip: float | None = None
        self._least_round_trip = math.inf
        #: the least difference between this clock and the clock in a frame, in this period and in the one before
        self._least = self._least_before = math.inf
        self._period_ends = 0.0

    def now(self) -> int:
        return microseconds(self._clock())

    def heartbeat(self) -> Heartbeat:
        now = self.now()
        echo = None if self._peer_clock is None else Echo(self._peer_clock, now - self._heard_at)
        return Heartbeat(now, echo)

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat of the peer."""
        self.transit(heartbeat.clock)
        now = self.now()
        self._peer_clock, self._heard_at = heartbeat.clock, now
        if heartbeat.echo is not None:
            self.round_trip = max(now - heartbeat.echo.clock - heartbeat.echo.held, 0) / 1e6
            self._least_round_trip = min(self._least_round_trip, self.round_trip)

    def transit(self, clock: int) -> float:
        """Return an estimate of the seconds that a frame was on its way.

        :param clock: of the frame
        """
        now = self.now()
        if now >= self._period_ends:
            self._period_ends = now + PERIOD_SECONDS * 1e6
            self._least, self._least_before = math.inf, self._least
        difference = now - clock
        if difference < self._least:
            self._least = difference
        excess = difference - min(self._least, self._least_before)
        return excess / 1e6 + (0.0 if self.round_trip is None else self._least_round_trip / 2)

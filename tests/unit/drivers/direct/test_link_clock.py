"""Estimates of the way of frames, between clocks with different origins."""

from __future__ import annotations

import math

import pytest

from cells.drivers.direct.frames import Echo, Heartbeat
from cells.drivers.direct.link_clock import PERIOD_SECONDS, LinkClock
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(10.0)


@pytest.fixture
def link_clock(clock: Clock) -> LinkClock:
    return LinkClock(clock)


def test_the_first_frame_is_the_measure(link_clock: LinkClock, clock: Clock) -> None:
    assert link_clock.transit(5_000_000_000) == 0.0
    clock.advance(3.0)
    assert link_clock.transit(5_001_000_000) == pytest.approx(2.0)


def test_a_faster_frame_becomes_the_measure(link_clock: LinkClock) -> None:
    assert link_clock.transit(1_000_000) == 0.0
    assert link_clock.transit(2_000_000) == 0.0
    assert link_clock.transit(1_500_000) == pytest.approx(0.5)


def test_half_of_the_least_round_trip_is_added(clock: Clock) -> None:
    here, there = LinkClock(clock), LinkClock(lambda: clock() + 500.0)
    for seconds in (0.3, 0.2, 0.4):
        heartbeat = here.heartbeat()
        clock.advance(seconds)
        there.hear(heartbeat)
        # The time that the peer holds a heartbeat is no part of the round trip.
        clock.advance(1.0)
        here.hear(there.heartbeat())
        assert here.round_trip == pytest.approx(seconds, abs=0.001)
    assert here.transit(there.now()) == pytest.approx(0.1, abs=0.001)


def test_a_drifting_clock(link_clock: LinkClock, clock: Clock) -> None:
    peer = 0
    for _ in range(10):
        clock.advance(PERIOD_SECONDS)
        peer += int(PERIOD_SECONDS * (1e6 - 10))
        assert link_clock.transit(peer) <= 0.002


def test_the_clock_of_a_hostile_peer(link_clock: LinkClock, clock: Clock) -> None:
    """Only its own messages get old; nothing overflows."""
    for peer_clock in (0, 2**64 - 1, 1, 2**63, 0):
        clock.advance(1.0)
        link_clock.hear(Heartbeat(peer_clock, Echo(2**64 - 1, 2**64 - 1)))
        link_clock.hear(Heartbeat(peer_clock, Echo(0, 0)))
        assert 0 <= link_clock.transit(peer_clock) < math.inf
        assert link_clock.round_trip is not None
        assert 0 <= link_clock.round_trip < math.inf
        # The clock of this side is in the answer, whatever the peer has said.
        assert link_clock.heartbeat().clock == int(clock() * 1e6)
        assert link_clock.heartbeat().encode()

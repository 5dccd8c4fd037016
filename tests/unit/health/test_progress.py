"""Progress: threads that go round, and threads that stand still."""

from __future__ import annotations

import pytest

from cells.health.progress import LIMIT_SECONDS, Progress
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_thread_that_goes_round_is_well(clock: Clock) -> None:
    progress = Progress(clock)
    runs: list[int] = []
    task = progress.beating("probes", lambda: runs.append(1))
    for _ in range(3):
        task()
        clock.advance(LIMIT_SECONDS)
    assert progress.stalled() == {}
    assert len(runs) == 3


def test_a_thread_that_stands_still_is_named(clock: Clock) -> None:
    progress = Progress(clock)
    progress.beat("probes")
    progress.watch("links", lambda: clock.now - 1)
    progress.watch("deadlines", lambda: None)
    clock.advance(LIMIT_SECONDS + 1)
    assert progress.stalled() == {"probes": LIMIT_SECONDS + 1}
    assert progress.ages() == {"links": 1.0, "probes": LIMIT_SECONDS + 1}


def test_after_a_stop_no_thread_is_watched(clock: Clock) -> None:
    progress = Progress(clock)
    progress.beat("probes")
    progress.forget()
    clock.advance(LIMIT_SECONDS + 1)
    assert progress.stalled() == {}

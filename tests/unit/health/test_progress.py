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


def test_threads_that_come_and_go_are_watched_together(clock: Clock) -> None:
    progress = Progress(clock)
    times: dict[str, float] = {}
    progress.watch_all(lambda: times)
    assert progress.ages() == {}
    times["io_0"] = times["io_1"] = clock.now
    clock.advance(LIMIT_SECONDS + 1)
    times["io_1"] = clock.now
    assert progress.stalled() == {"io_0": LIMIT_SECONDS + 1}
    times.clear()
    assert progress.stalled() == {}
    times["io_0"] = 0.0
    progress.forget()
    assert progress.ages() == {}


def test_after_a_stop_no_thread_is_watched(clock: Clock) -> None:
    progress = Progress(clock)
    progress.beat("probes")
    progress.forget()
    clock.advance(LIMIT_SECONDS + 1)
    assert progress.stalled() == {}

"""Log of repeated problems: bounded for each subject."""

from __future__ import annotations

import logging

import pytest

from cells.limited_log import (
    MAX_LINES,
    MAX_NAMES,
    MAX_SUBJECTS,
    REMINDER_SECONDS,
    WINDOW_SECONDS,
    FirstTimes,
    LastingProblem,
    LimitedLog,
)
from tests.clock import Clock

LOG = logging.getLogger("cells.tests.limited")


def test_each_subject_has_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = LimitedLog(LOG, clock)
    for _ in range(100):
        log.warn_about("east", "east fails: %s", "why")
    log.warn_about("west", "west fails")
    assert caplog.messages == ["east fails: why"] * MAX_LINES + ["west fails"]
    caplog.clear()
    clock.now += WINDOW_SECONDS
    log.warn_about("east", "east fails")
    log.warn_about("west", "west fails")
    left_out, *lines = caplog.messages
    assert str(100 - MAX_LINES) in left_out
    assert lines == ["east fails", "west fails"]


def test_a_caller_learns_whether_its_line_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = LimitedLog(LOG, Clock())
    assert not log.log_about(logging.DEBUG, "east", "no reader wants it")
    caplog.set_level("INFO", LOG.name)
    lines = [log.log_about(logging.INFO, "east", "a problem") for _ in range(MAX_LINES + 1)]
    assert lines == [True] * MAX_LINES + [False]
    assert len(caplog.messages) == MAX_LINES


def test_many_subjects_share_the_last_lines(caplog: pytest.LogCaptureFixture) -> None:
    log = LimitedLog(LOG, Clock())
    for number in range(MAX_SUBJECTS + 100):
        log.warn_about(str(number), "a problem")
    assert len(caplog.messages) == MAX_SUBJECTS + MAX_LINES


def test_each_name_of_a_cell_is_new_once() -> None:
    times = FirstTimes()
    asked = [("east", "ping"), ("east", "ping"), ("west", "ping"), ("east", "pong")]
    assert [times.is_first(cell, name) for cell, name in asked] == [True, False, True, True]


def test_no_cell_can_invent_names_for_ever() -> None:
    times = FirstTimes()
    assert sum(times.is_first("east", str(number)) for number in range(MAX_NAMES + 5)) == MAX_NAMES
    assert times.is_first("west", "ping")


def test_a_problem_that_lasts_is_a_line_and_a_reminder_from_time_to_time(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    problem = LastingProblem(LOG, clock)
    for _ in range(1000):
        problem.log(logging.WARNING, "the broker is %s", "away")
    assert caplog.messages == ["the broker is away"]
    problem.log(logging.WARNING, "the broker is %s", "full")
    clock.advance(REMINDER_SECONDS - 1)
    problem.log(logging.WARNING, "the broker is %s", "full")
    clock.advance(1)
    problem.log(logging.WARNING, "the broker is %s", "full")
    assert caplog.messages == ["the broker is away", "the broker is full", "the broker is full"]
    problem.end()
    problem.log(logging.WARNING, "the broker is %s", "full")
    assert len(caplog.messages) == 4


def test_a_problem_has_a_line_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOG.name)
    problem = LastingProblem(LOG, Clock())
    problem.end("the broker is back")
    assert caplog.messages == []
    problem.log(logging.WARNING, "the broker is away")
    for _ in range(2):
        problem.end("the broker is %s", "back")
    assert caplog.messages == ["the broker is away", "the broker is back"]


def test_a_problem_that_changes_each_time_has_a_pause_between_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    problem = LastingProblem(LOG, clock, pause_seconds=60.0)
    for number in range(120):
        problem.log(logging.WARNING, "port %d refuses", number)
        clock.advance(1.0)
    assert caplog.messages == ["port 0 refuses", "port 60 refuses"]


def test_a_problem_that_changes_each_time_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    problem = LastingProblem(LOG, Clock())
    for port in range(100):
        problem.log(logging.WARNING, "port %d refuses", port)
    assert len(caplog.messages) == MAX_LINES

"""Readiness: the last results of checks that succeed, fail and hang."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cells import exceptions
from cells.health.readiness import LIMIT_SECONDS, Phase, Readiness
from cells.worker_threads import Runtime
from tests.clock import Clock
from tools.polling import poll


def serve(check: Callable[[float], object], clock: Clock | None = None) -> Readiness:
    readiness = Readiness({"part": check}, Runtime(clock=clock) if clock else Runtime())
    readiness.serve(is_watched=True)
    return readiness


def test_phases() -> None:
    readiness = Readiness({}, Runtime())
    assert readiness.problems() == {"manager": "starting"}
    readiness.serve(is_watched=True)
    assert readiness.is_ready
    readiness.stop()
    assert (readiness.phase, readiness.problems()) == (Phase.STOPPING, {"manager": "stopping"})


def test_a_check_that_succeeds() -> None:
    readiness = serve(lambda _: None)
    poll(lambda: readiness.is_ready, "it is ready", 10)
    readiness.stop()


@pytest.mark.parametrize(
    ("error", "text"),
    [(exceptions.ManagerTimeout("no message came"), "no message came"), (ValueError("user:password"), "ValueError")],
)
def test_a_check_that_fails_says_why_and_no_secret(error: Exception, text: str) -> None:
    def fail(_: float) -> None:
        raise error

    readiness = serve(fail)
    poll(lambda: readiness.problems() == {"part": text}, "it is not ready", 10)
    readiness.stop()


def test_a_check_that_hangs_is_a_problem() -> None:
    clock, begun, may_end = Clock(), threading.Event(), threading.Event()

    def hang(_: float) -> None:
        begun.set()
        may_end.wait(10)

    readiness = serve(hang, clock)
    assert begun.wait(10)
    assert readiness.problems() == {"part": "not checked yet"}
    clock.advance(LIMIT_SECONDS + 1)
    assert not readiness.is_ready
    assert readiness.problems()["part"].startswith("no answer for")
    may_end.set()
    poll(lambda: readiness.is_ready, "it is ready", 10)
    readiness.stop()


def test_without_a_listener_nothing_is_checked() -> None:
    checks: list[float] = []
    readiness = Readiness({"part": checks.append}, Runtime())
    readiness.serve(is_watched=False)
    assert readiness.is_ready
    assert checks == []

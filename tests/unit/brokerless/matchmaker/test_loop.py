from __future__ import annotations

import os
import threading

import pytest

from cells.brokerless.matchmaker import loop as module
from cells.brokerless.matchmaker.loop import HeartbeatLoop
from tools.polling import poll

LONG_SECONDS = 3600.0


class Work:
    def __init__(self, result: bool | Exception = True) -> None:
        self.rounds = 0
        self.result = result

    def __call__(self) -> bool:
        self.rounds += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_first_round_starts_at_once_and_wake_starts_another() -> None:
    work = Work()
    loop = HeartbeatLoop(work, LONG_SECONDS)
    assert not loop.is_running
    loop.start()
    loop.start()
    assert loop.is_running
    poll(lambda: work.rounds == 1, "the first round is done")
    loop.wake()
    poll(lambda: work.rounds == 2, "the second round is done")
    loop.stop(10)
    loop.stop(10)
    assert not loop.is_running
    loop.wake()
    assert work.rounds == 2


def test_loop_can_be_started_again() -> None:
    work = Work()
    loop = HeartbeatLoop(work, LONG_SECONDS)
    for rounds in (1, 2):
        loop.start()
        poll(lambda rounds=rounds: work.rounds == rounds, "a round is done")
        loop.stop(10)


def test_loop_repeats_at_its_interval() -> None:
    work = Work()
    loop = HeartbeatLoop(work, 0.01)
    loop.start()
    poll(lambda: work.rounds >= 2, "further rounds are done")
    loop.stop(10)


@pytest.mark.parametrize("result", [False, ValueError("of the work")])
def test_failed_round_is_retried_soon(
    result: bool | Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    work = Work(result)
    loop = HeartbeatLoop(work, LONG_SECONDS)
    loop.start()
    poll(lambda: work.rounds >= 2, "the second round is done")
    loop.stop(10)
    assert ("of the work" in caplog.text) == isinstance(result, ValueError)


def test_stop_waits_for_a_limited_time() -> None:
    gate, entered = threading.Event(), threading.Event()

    def work() -> bool:
        entered.set()
        return gate.wait(10)

    loop = HeartbeatLoop(work, LONG_SECONDS)
    loop.start()
    assert entered.wait(10)
    loop.stop(0.01)
    assert not loop.is_running
    gate.set()


def test_work_may_stop_the_loop() -> None:
    done = threading.Event()

    def work() -> bool:
        loop.stop(10)
        done.set()
        return True

    loop = HeartbeatLoop(work, LONG_SECONDS)
    loop.start()
    assert done.wait(10)
    assert not loop.is_running


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the test forks while threads run
def test_loop_does_not_run_in_a_forked_process() -> None:
    loop = HeartbeatLoop(Work(), LONG_SECONDS)
    loop.start()
    child = os.fork()
    if child == 0:
        os._exit(1 if loop.is_running else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop.is_running
    loop.stop(10)

"""The manager's thread that reloads (case B2)."""

from __future__ import annotations

import threading

from cells.cmd.manager import Requested


def test_a_reload_that_hangs_delays_nothing_and_is_repeated_once() -> None:
    reloads = threading.Semaphore(0)
    may_end = threading.Event()

    def reload() -> None:
        reloads.release()
        may_end.wait(10)

    reloader = Requested(reload, "test-reload")
    reloader.ask()
    assert reloads.acquire(timeout=10)
    for _ in range(3):
        reloader.ask()
    assert not reloads.acquire(blocking=False)
    may_end.set()
    assert reloads.acquire(timeout=10)
    assert not reloads.acquire(timeout=0.1)

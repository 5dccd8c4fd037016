"""The notifications to systemd, and the watchdog that depends on the progress of threads alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells.health.notifier import READY, Notifier
from cells.health.progress import LIMIT_SECONDS, Progress
from cells.health.watchdog import Watchdog
from cells.worker_threads import Runtime
from tests.cases import each
from tests.clock import Clock


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(tmp_path / "notify"))
        opened.settimeout(10)
        yield opened


def notifier(systemd: socket.socket, **environment: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": systemd.getsockname(), **environment})


def test_a_notification(systemd: socket.socket) -> None:
    notifier(systemd).send(READY)
    assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_sent(tmp_path: Path) -> None:
    Notifier({}).send(READY)
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).send(READY)


def fed_times(systemd: socket.socket) -> int:
    """Return the number of notifications until there are none, or 100."""
    for count in range(100):
        try:
            systemd.recv(100)
        except TimeoutError:
            return count
    return 100


@each(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_interval_of_the_watchdog(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/systemd/notify", **environment}).watchdog_seconds == seconds


def test_the_watchdog_is_fed_while_threads_make_progress(systemd: socket.socket) -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.beat("probes")
    watchdog = Watchdog(notifier(systemd, WATCHDOG_USEC="30000"), progress, Runtime())
    watchdog.start()
    assert systemd.recv(100) == b"WATCHDOG=1"
    clock.advance(LIMIT_SECONDS + 1)
    systemd.settimeout(0.2)
    assert fed_times(systemd) < 100
    progress.beat("probes")
    systemd.settimeout(10)
    assert systemd.recv(100) == b"WATCHDOG=1"
    watchdog.stop()

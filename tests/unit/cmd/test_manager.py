"""The start of the daemon, and its thread that reloads (case B2)."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from cells.cmd.manager import Requested
from tests.cases import each


@each("option", ["log_file", "log_config_append"])
def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path, option: str) -> None:
    config_file = tmp_path / "cells.conf"
    config_file.write_text(f"[DEFAULT]\n{option} = {config_file}/log\n")
    command = (sys.executable, "-m", "cells.cmd.manager", "--config-file", str(config_file))
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert option in line


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

"""The manager processes of a sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cells.sandbox import processes
from cells.sandbox.layout import Layout
from cells.sandbox.processes import Manager
from tests.unit.sandbox.conftest import Start
from tools.polling import poll

DEAF = "trap '' TERM"


def test_managers_are_found_by_their_configuration(layout: Layout, start: Start) -> None:
    assert processes.find(layout.directory) == []
    pids = {name: start(name).pid for name in ("api", "east")}
    found = processes.find(layout.directory)
    assert {manager.config: manager.pid for manager in found} == {
        layout.cell(name).config: pid for name, pid in pids.items()
    }
    assert processes.find(layout.directory / "api") == []
    assert processes.find(layout.directory.parent) == []


def test_other_programs_with_that_file_are_no_managers(layout: Layout) -> None:
    command = ["/bin/sh", "-c", "echo on; read nothing", "x", "--config-file", str(layout.cell("api").config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert processes.find(layout.directory) == []
        # Nor is a process stopped that has the process id of an ended manager.
        processes.stop([Manager(other.pid, layout.cell("api").config)])
        assert other.poll() is None


def test_memory(start: Start) -> None:
    memory = processes.memory_mb(start("api").pid)
    assert memory is not None
    assert 0 < memory < 1000
    assert processes.memory_mb(2**22 + 1) is None


def test_managers_are_stopped_with_sigterm(layout: Layout, start: Start) -> None:
    started = [start(name) for name in ("api", "east")]
    # A suspended process handles the signal, too.
    started[1].send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{started[1].pid}/stat")
    poll(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it is suspended")
    processes.stop(processes.find(layout.directory))
    assert {process.wait(10) for process in started} == {-signal.SIGTERM}
    assert processes.find(layout.directory) == []
    processes.stop([])


def test_manager_that_ignores_sigterm_is_killed(layout: Layout, start: Start) -> None:
    deaf = start("api", DEAF)
    processes.stop(processes.find(layout.directory), timeout_seconds=0.1)
    assert deaf.wait(10) == -signal.SIGKILL


def test_interrupted_stop_kills_at_once(layout: Layout, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = start("api", DEAF)
    pauses = []

    def interrupted(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            raise KeyboardInterrupt
        time.sleep(seconds)

    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupted))
    with pytest.raises(KeyboardInterrupt):
        processes.stop(processes.find(layout.directory), timeout_seconds=60)
    assert deaf.wait(10) == -signal.SIGKILL


def test_manager_is_found_by_its_command_line(layout: Layout) -> None:
    files = layout.cell("api")
    command = processes.command_line(files)
    assert command[0] == sys.executable
    assert command[-2:] == ["--config-file", str(files.config)]
    # The process waits for the text of this pipe.
    files.directory.mkdir()
    os.mkfifo(files.config)
    with subprocess.Popen(command) as manager:
        poll(lambda: [found.pid for found in processes.find(layout.directory)] == [manager.pid], "it is found")
        manager.kill()

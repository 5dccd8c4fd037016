"""Start managers, a few at a time, and wait until their logs report that they are ready."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cells import exceptions
from cells.sandbox import processes
from cells.sandbox.layout import CellFiles

#: Timeout for the start of one manager, which takes one second on an idle machine.
TIMEOUT_SECONDS = 60.0
READY = b" is ready "
#: Part of the log that an error shows if a manager does not start.
LAST_LINES = 3
LAST_CHARACTERS = 600
_PAUSE_SECONDS = 0.02


def start(cells: Sequence[CellFiles], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Start the managers of these cells, detached from this process; return when all are ready.

    :raises cells.exceptions.SandboxError: a manager does not start; the managers that are ready keep running
    """
    # A manager uses a whole processor while it starts, so more at the same time would not be faster.
    at_a_time = max(2, len(os.sched_getaffinity(0)))
    waiting = list(cells)
    starting: list[_StartingManager] = []
    try:
        while waiting or starting:
            while waiting and len(starting) < at_a_time:
                starting.append(_StartingManager.begin(waiting.pop(0), timeout_seconds))
            starting = [manager for manager in starting if not manager.is_ready()]
            if starting:
                time.sleep(_PAUSE_SECONDS)
    finally:
        for manager in starting:
            manager.process.kill()
            manager.process.wait()


@dataclass
class _StartingManager:
    """A started manager that is not ready yet."""

    files: CellFiles
    process: subprocess.Popen[bytes]
    logged_bytes_before: int
    deadline: float
    timeout_seconds: float

    @classmethod
    def begin(cls, files: CellFiles, timeout_seconds: float) -> _StartingManager:
        with files.log.open("ab") as log:
            # Before the process starts: the process shares the file position and moves it.
            logged_bytes_before = log.tell()
            process = subprocess.Popen(  # noqa: S603  # this project's own daemon
                processes.command_line(files),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C and the end of the terminal must not stop the manager; it must not block the current directory.
                start_new_session=True,
                cwd=files.directory,
            )
            return cls(files, process, logged_bytes_before, time.monotonic() + timeout_seconds, timeout_seconds)

    def is_ready(self) -> bool:
        if READY in self._log():
            # The manager outlives this process: keep Popen from warning about a running child.
            self.process.returncode = 0
            return True
        if self.process.poll() is not None:
            raise self._error(f"ended with status {self.process.returncode}")
        if time.monotonic() > self.deadline:
            raise self._error(f"was not ready after {self.timeout_seconds:g} s")
        return False

    def _log(self) -> bytes:
        with self.files.log.open("rb") as log:
            log.seek(self.logged_bytes_before)
            return log.read()

    def _error(self, problem: str) -> exceptions.SandboxError:
        lines = [line for line in self._log().decode(errors="replace").splitlines() if line.strip()]
        tail = " / ".join(lines[-LAST_LINES:])[-LAST_CHARACTERS:] or "(empty)"
        return exceptions.SandboxError(
            f"The manager of cell {self.files.name} {problem}. The end of its log: {tail}", cell=self.files.name
        )

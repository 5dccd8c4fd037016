"""Starts managers, a few at a time, and waits until their logs say that they are ready."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cells import exceptions
from cells.sandbox import processes
from cells.sandbox.layout import CellFiles

#: From its start; a manager needs one on an idle machine.
TIMEOUT_SECONDS = 60.0
READY = b" is ready "
#: What is shown of the log of a manager that did not start.
LAST_LINES = 3
LAST_CHARACTERS = 600
_PAUSE_SECONDS = 0.02


def start(cells: Sequence[CellFiles], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Start the managers of these cells, detached from this process; return when all are ready.

    :raises cells.exceptions.SandboxError: one is not; those that were ready by then still run
    """
    # Each of them computes for as long as it starts: more at a time would only be slower.
    at_a_time = max(2, len(os.sched_getaffinity(0)))
    waiting = list(cells)
    starting: list[_Starting] = []
    try:
        while waiting or starting:
            while waiting and len(starting) < at_a_time:
                starting.append(_Starting.begin(waiting.pop(0), timeout_seconds))
            starting = [one for one in starting if not one.is_ready()]
            if starting:
                time.sleep(_PAUSE_SECONDS)
    finally:
        for one in starting:
            one.process.kill()
            one.process.wait()


@dataclass
class _Starting:
    """A manager that was started and is not ready yet."""

    files: CellFiles
    process: subprocess.Popen[bytes]
    logged_bytes_before: int
    deadline: float
    timeout_seconds: float

    @classmethod
    def begin(cls, files: CellFiles, timeout_seconds: float) -> _Starting:
        with files.log.open("ab") as log:
            # Now: the position is one for us and for the process, and moves as that writes.
            logged_bytes_before = log.tell()
            process = subprocess.Popen(  # noqa: S603  # this project's own daemon
                processes.command_line(files),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Neither Ctrl-C nor the end of the terminal is meant for it, and it keeps nobody's directory busy.
                start_new_session=True,
                cwd=files.directory,
            )
            return cls(files, process, logged_bytes_before, time.monotonic() + timeout_seconds, timeout_seconds)

    def is_ready(self) -> bool:
        if READY in self._log():
            # It outlives us on purpose: this object must not complain of that.
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

    def _error(self, what: str) -> exceptions.SandboxError:
        lines = [line for line in self._log().decode(errors="replace").splitlines() if line.strip()]
        said = " / ".join(lines[-LAST_LINES:])[-LAST_CHARACTERS:] or "nothing"
        return exceptions.SandboxError(
            f"The manager of cell {self.files.name} {what}. Its log ends with: {said}", cell=self.files.name
        )

"""A script of the drills in its own process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.manager_process import ProcessError

ROOT = Path(__file__).parents[1]
START_TIMEOUT_SECONDS = 60.0


class Script:
    """Process of ``python -m MODULE ARGUMENTS``, which prints a line when it is ready.

    :param log_file: gets its standard error
    """

    def __init__(self, module: str, *arguments: str, log_file: Path, env: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._log_file = log_file
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                # Ctrl-C goes to the parent process, which stops this one.
                start_new_session=True,
            )

    def wait_ready(self) -> Script:
        """Wait for the line.

        :raises ProcessError: the process has ended, or there is no line in time
        """
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT_SECONDS)
        if not readable or self._process.stdout.readline() != "ready\n":
            raise ProcessError(f"{' '.join(self._command)} does not start:\n{self._log_file.read_text()[-3000:]}")
        return self

    def close(self) -> None:
        """End the standard input of the process, which ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the end of the process.

        :raises ProcessError: it has not ended in time
        """
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"{' '.join(self._command)} does not end within {timeout_seconds:g} s.") from error

    def kill9(self) -> None:
        """Kill the process.  May be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

"""Handle of a load process: a separate process that puts load on a tree from one cell.

It runs ``load_process.py`` in the environment of either release.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.upgrade.releases import Release
from tools.manager_process import ManagerProcess

SCRIPT = Path(__file__).with_name("load_process.py")
#: More than the timeout of an operation of the load.
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Operation:
    """One call, cast or broadcast, with the outcome at its sender."""

    number: str
    kind: str
    #: cells in which it must have run
    cells: Sequence[str]
    error: str | None
    #: seconds since the epoch, as in the logs of the managers
    began_at: float

    def __str__(self) -> str:
        began_at = datetime.datetime.fromtimestamp(self.began_at).strftime("%H:%M:%S.%f")  # like logs
        return f"{self.number} of {began_at}"


class LoadClient:
    """Process that sends from one cell.

    :param release: release of its code
    :param manager: of the cell
    :param targets: names or full paths of the cells that it calls
    :param answering: names of the cells that answer its broadcasts
    """

    def __init__(
        self,
        release: Release,
        manager: ManagerProcess,
        *,
        targets: Sequence[str],
        direction: str,
        answering: Sequence[str],
    ) -> None:
        self.name = f"{manager.name}-{release.name}"
        self._log_file = manager.config_file.with_name(f"load-{self.name}.log")
        self._results_file = manager.config_file.with_name(f"load-{self.name}.json")
        self._release = release
        self._plan = {
            "name": self.name,
            "config_file": str(manager.config_file),
            "url": manager.transport_url,
            "results_file": str(self._results_file),
            "targets": targets,
            "direction": direction,
            "answering": answering,
        }
        self._process: subprocess.Popen[str] | None = None
        self._operations: list[Operation] = []
        self._read_until = 0

    def start(self) -> None:
        """Start to send."""
        self._results_file.touch()
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [self._release.program("python"), str(SCRIPT), json.dumps(self._plan)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._release.programs,
                start_new_session=True,
                text=True,
                bufsize=1,
            )

    def begin_pause(self) -> None:
        """Stop starting operations."""
        self._send("pause")

    def wait_paused(self) -> None:
        """Wait until no operation is in flight; each operation has a timeout."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "paused\n", self._log_file.read_text()[-3000:]

    def resume(self) -> None:
        """Continue to send."""
        self._send("resume")

    def _send(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")

    def finish(self) -> None:
        """Finish the operations in flight, and end the process."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(TIMEOUT_SECONDS)
        assert status == 0, f"The load of {self.name} ended with {status}:\n{self._log_file.read_text()[-3000:]}"

    def kill(self) -> None:
        """Kill the process in any state."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    # Unread input of a dead process is no error.
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def operations(self) -> list[Operation]:
        """Return the finished operations.  Raises if the process ended by itself."""
        assert self._process is not None
        assert not self._process.poll(), f"The load of {self.name} has ended:\n{self._log_file.read_text()[-3000:]}"
        with self._results_file.open() as file:
            file.seek(self._read_until)
            text = file.read()
        # Cached, because the list is long and read often.
        complete = text[: text.rfind("\n") + 1]
        self._operations += [Operation(**json.loads(line)) for line in complete.splitlines()]
        self._read_until += len(complete)
        return self._operations

"""One service that puts load on a tree: a process of its own, as the test sees it from outside.

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
#: More than the load waits for one operation.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Operation:
    """One call, cast or broadcast, as its sender saw it end."""

    number: str
    kind: str
    #: where it has to have run
    cells: Sequence[str]
    error: str | None
    #: seconds since the epoch, as in the logs of the managers
    began_at: float

    def __str__(self) -> str:
        began_at = datetime.datetime.fromtimestamp(self.began_at).strftime("%H:%M:%S.%f")  # as logs do
        return f"{self.number} of {began_at}"


class LoadClient:
    """A process that sends from one cell.

    :param release: the code that it runs
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
        """Begin to send."""
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
        """Tell it to begin nothing new."""
        self._say("pause")

    def wait_paused(self) -> None:
        """Wait until nothing is under way; each operation has a bound of its own."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "paused\n", self._log_file.read_text()[-3000:]

    def resume(self) -> None:
        """Let it go on."""
        self._say("resume")

    def _say(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")

    def finish(self) -> None:
        """Let it end what is under way, and go."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(PATIENCE_SECONDS)
        assert status == 0, f"The load of {self.name} ended with {status}:\n{self._log_file.read_text()[-3000:]}"

    def kill(self) -> None:
        """Leave nothing of it, whatever its state."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    # What a process that is gone has not read is not worth an error.
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def operations(self) -> list[Operation]:
        """All that have ended so far.  An error if it goes before it is told to."""
        assert self._process is not None
        assert not self._process.poll(), f"The load of {self.name} has ended:\n{self._log_file.read_text()[-3000:]}"
        with self._results_file.open() as file:
            file.seek(self._read_until)
            text = file.read()
        # There are many, and they are asked for often: what was read stays read.
        complete = text[: text.rfind("\n") + 1]
        self._operations += [Operation(**json.loads(line)) for line in complete.splitlines()]
        self._read_until += len(complete)
        return self._operations

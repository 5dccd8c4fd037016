"""Manager of a cell whose release can be changed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from cells import conf as cells_conf
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tests.upgrade.releases import Release
from tools.manager_process import COMMAND_TIMEOUT_SECONDS, READY, Finished, ManagerProcess, ProcessError


class CellManager(ManagerProcess):
    """Manager and commands of a cell, of the release that was set last.

    :param env: added to the environment of its processes; the other arguments are those of ManagerProcess
    """

    def __init__(self, *arguments: Any, release: Release, env: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.release = release
        self._env = {**os.environ, **env}

    def cells(self, *arguments: str, timeout: float = COMMAND_TIMEOUT_SECONDS) -> Finished:
        return self.cells_of(self.release, *arguments, timeout=timeout)

    def cells_of(self, release: Release, *arguments: str, timeout: float = COMMAND_TIMEOUT_SECONDS) -> Finished:
        """Run the ``cells`` command of that release, with a manager of any release.

        :raises ProcessError: the command fails
        """
        command = [release.program("cells"), "--config-file", str(self.config_file), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=self._env,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise ProcessError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(self, env: Mapping[str, str] | None = None) -> CellManager:
        """Start a manager of this release."""
        self._ready_lines_before = self.log().count(READY)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [self.release.program("cells-manager"), "--config-file", str(self.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**self._env, **(env or {})},
            )
        return self

    @contextlib.contextmanager
    def connected(self) -> Iterator[CellsAPI]:
        """Return a client of the manager, of the tested release; faster than a command."""
        conf = cells_conf.load([self.config_file])
        transport = open_transport(conf, None, ["cells.exceptions"])
        try:
            yield CellsAPI(transport, version_cap=conf.upgrade_levels.cells, timeout=15)
        finally:
            transport.cleanup()

    def end(self) -> None:
        """Stop the manager like a supervisor, which kills a process that does not end in time.

        :raises ProcessError: the manager reports an error
        :raises subprocess.TimeoutExpired: a manager that has no excuse does not end
        """
        try:
            status = self.terminate()
        except subprocess.TimeoutExpired:
            if not self.release.hangs_at_stop:
                raise
            self.kill9()
            return
        if status:
            raise ProcessError(f"{self.host} ended with {status}:\n{self.log()[-3000:]}")

"""A real ``cells-manager`` with its own configuration, and the ``cells`` command for it.

The demo, the integration tests and the benchmark start, signal, measure and stop a manager
from outside, as an operator would.  They know only its process, its log file and the output
of ``cells``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.polling import poll

READY = " is ready "
COMMAND_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0


class ProcessError(Exception):
    """Raised when a process that was started here fails."""


class Finished(NamedTuple):
    """Result of a command."""

    returncode: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return the command's output of ``-f json``.

        :raises ProcessError: the command failed, or its output is not JSON
        """
        try:
            if self.returncode in (0, 1):  # 1: the command shows a problem
                return json.loads(self.stdout)
        except ValueError:
            pass
        raise ProcessError(f"The output is not JSON, exit status {self.returncode}:\n{self.stderr}{self.stdout}")


class ManagerProcess:
    """One manager of one cell.

    :param directory: directory for the configuration, the log and the SQLite database
    :param transport_url: transport URL of the cell
    :param neighbor_url: transport URL that its neighbors use, if different
    :param host: host name, required if a cell has several managers
    :param connection: database URL; default: an SQLite file in ``directory``
    :param options: further options, ``{"cells": {"call_timeout": 5}}``
    :param prefix: command that executes the process, ``["nsenter", "--net=/run/netns/edge"]``
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        transport_url: str,
        *,
        neighbor_url: str | None = None,
        host: str | None = None,
        connection: str | None = None,
        options: Mapping[str, Mapping[str, object]] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._prefix = prefix
        self.host = host or name
        self.transport_url = transport_url
        self.neighbor_url = neighbor_url or transport_url
        self.connection = connection or f"sqlite:///{directory / name}.sqlite"
        self.config_file = directory / f"{self.host}.conf"
        self.log_file = directory / f"{self.host}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._ready_lines_before = 0
        sections: dict[str, dict[str, object]] = {
            "DEFAULT": {"host": self.host, "transport_url": transport_url, "state_path": directory},
            "cells": {"name": name},
            "database": {"connection": self.connection},
        }
        for section, values in (options or {}).items():
            sections.setdefault(section, {}).update(values)
        directory.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text("".join(_section(section, values) for section, values in sections.items()))

    # Commands of an operator

    def cells(self, *arguments: str, timeout: float = COMMAND_TIMEOUT_SECONDS) -> Finished:
        """Run ``cells`` with the configuration of this manager."""
        return self.begin(*arguments)(timeout)

    def begin(self, *arguments: str) -> Callable[[float], Finished]:
        """Start ``cells``; return a function that waits for its end, with a timeout in seconds."""
        process = subprocess.Popen(
            [program("cells"), "--config-file", str(self.config_file), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def finish(timeout: float) -> Finished:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
                raise ProcessError(f"cells {' '.join(arguments)} took longer than {timeout:g} s:\n{stderr}") from None
            return Finished(process.returncode, stdout, stderr)

        return finish

    def succeed(self, *arguments: str) -> Finished:
        """Run ``cells``; raise ProcessError if it fails."""
        done = self.cells(*arguments)
        if done.returncode:
            raise ProcessError(f"cells {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done

    def sync_database(self) -> None:
        """Create the tables."""
        self.succeed("db", "sync")

    def add_neighbor(self, name: str, kind: str, transport_url: str) -> None:
        """Register a neighbor; ``kind`` is parent or child."""
        self.succeed("neighbor", "create", name, "--type", kind, "--transport-url", transport_url)

    def link_child(self, child: ManagerProcess) -> None:
        """Register the two as parent and child of each other."""
        self.add_neighbor(child.name, "child", child.neighbor_url)
        child.add_neighbor(self.name, "parent", self.neighbor_url)

    # The process

    def start(self, env: Mapping[str, str] | None = None) -> ManagerProcess:
        """Start the manager and return at once."""
        self._ready_lines_before = self.log().count(READY)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, program("cells-manager"), "--config-file", str(self.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C goes to the parent process, which stops the manager.
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        return self

    def wait_ready(self, timeout_seconds: float = 120.0) -> ManagerProcess:
        """Wait until the log says that the manager is ready."""
        poll(self._is_ready_or_dead, f"{self.host} is ready", timeout_seconds, pause_seconds=0.01)
        return self

    def _is_ready_or_dead(self) -> bool:
        if self.log().count(READY) > self._ready_lines_before:
            return True
        if self.running.poll() is not None:
            raise ProcessError(f"{self.host} ended with {self.running.returncode}:\n{self.log()[-3000:]}")
        return False

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The process; raises ProcessError if it was never started."""
        if self.process is None:
            raise ProcessError(f"{self.host} was never started.")
        return self.process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the manager."""
        self.running.send_signal(number)

    def hup(self) -> None:
        """Have the manager reload its neighbors."""
        self.signal(signal.SIGHUP)

    def kill9(self) -> None:
        """Kill the manager without a chance to clean up."""
        self.running.kill()
        self.running.wait()

    def terminate(self, timeout_seconds: float = 30.0) -> int:
        """Send SIGTERM; return the exit status."""
        self.signal(signal.SIGTERM)
        return self.running.wait(timeout_seconds)

    def begin_stop(self) -> None:
        """Ask the manager to end, whatever its state, without waiting: several managers can end at a time."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.terminate()

    def stop(self) -> None:
        """End the process, whatever its state.  May be called twice; never raises."""
        self.begin_stop()
        process, self.process = self.process, None
        if process is None:
            return
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the process without an orderly stop, when its results are no longer needed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    # Observation from outside

    def log(self) -> str:
        """Return the log of all starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def rss_kb(self) -> int:
        """Return the resident memory in KiB."""
        return self._process_status("VmRSS")

    def threads(self) -> int:
        """Return the number of threads."""
        return self._process_status("Threads")

    def _process_status(self, key: str) -> int:
        lines = Path(f"/proc/{self.running.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))

    def connections(self) -> list[int]:
        """Return the remote ports of the manager's TCP connections."""
        sockets = set()
        for descriptor in Path(f"/proc/{self.running.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(descriptor))
        ports = []
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.running.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "01" and f"socket:[{fields[9]}]" in sockets:
                    ports.append(int(fields[2].rpartition(":")[2], 16))
        return ports

    def status(self) -> dict[str, Any]:
        """Return the output of ``cells status``."""
        answer: dict[str, Any] = self.cells("status", "-f", "json").json()
        return answer


def program(name: str) -> str:
    """Return the path of a console script of the running environment."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise ProcessError(f"The program {name} is not installed: run 'pip install -e .' in this project first.")
    return found


def _section(name: str, values: Mapping[str, object]) -> str:
    lines = [f"{key} = {str(value).replace('$', '$$')}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, "", ""])

"""The managers of a sandbox as processes: which run, what they cost, and how they are ended.

They are found by what the system says of every process, and by nothing that was
written down: a process that was started runs with the path of its own cell's
configuration file in its command line.  So a number that the system has
given to another program since is never taken for a manager, and a manager is found
even if the command that started it was killed, or the sandbox's files are gone.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from cells.sandbox.layout import CellFiles

#: An idle manager ends within one or two; the others are of no use to anybody any more.
PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.02
_MODULE = "cells.cmd.manager"
_PROGRAM = "cells-manager"


class Manager(NamedTuple):
    """A process that runs."""

    pid: int
    config: Path


def command_line(files: CellFiles) -> list[str]:
    """What starts the manager of a cell, by the Python that runs this."""
    return [sys.executable, "-m", _MODULE, "--config-file", str(files.config)]


def find(directory: Path) -> list[Manager]:
    """The managers of the sandbox in ``directory`` that run now."""
    return [manager for manager in _all_managers() if manager.config.parent.parent == directory]


def memory_mb(pid: int) -> float | None:
    """The resident memory of a process, None if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)
    return None if kilobytes is None else round(kilobytes / 1024, 1)


def end(managers: Collection[Manager], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """End all of them at a time: politely at first, and after ``patience_seconds`` for good.

    Who is interrupted meanwhile has no patience left.

    :raises PermissionError: one belongs to another user
    """
    left = _signal(managers, signal.SIGTERM)
    # One that was stopped cannot read the first signal.
    _signal(left, signal.SIGCONT)
    try:
        left = _wait(left, patience_seconds)
    finally:
        _wait(_signal(left, signal.SIGKILL), patience_seconds)


def _signal(managers: Collection[Manager], number: signal.Signals) -> list[Manager]:
    """Send it to those that still run; return them."""
    running = [manager for manager in managers if _is_running(manager)]
    for manager in running:
        try:
            os.kill(manager.pid, number)
        except ProcessLookupError:
            continue
    return running


def _wait(managers: Collection[Manager], patience_seconds: float) -> list[Manager]:
    """Wait for their end; return those that still run after that time."""
    deadline = time.monotonic() + patience_seconds
    left = list(managers)
    while left := [manager for manager in left if _is_running(manager)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    return left


def _is_running(manager: Manager) -> bool:
    return _config_of(manager.pid) == manager.config


def _all_managers() -> Iterator[Manager]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            config = _config_of(int(entry.name))
            if config is not None:
                yield Manager(int(entry.name), config)


def _config_of(pid: int) -> Path | None:
    """The configuration file of a manager, None if that process is none; a process that has ended has no command."""
    try:
        words = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return None
    if not any(word == _MODULE or os.path.basename(word) == _PROGRAM for word in words[:3]):
        return None
    named = [value for option, value in itertools.pairwise(words) if option == "--config-file"]
    return Path(named[-1]) if named else None

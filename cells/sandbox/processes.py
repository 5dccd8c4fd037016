"""The manager processes of a sandbox: find them, measure their memory, stop them.

A manager is found by its command line in ``/proc``, which has the path of its cell's configuration
file; no file has its process id.  So another process that reuses the id is never mistaken for the manager,
and a manager is found even if the command that started it was killed, or the files of the
sandbox are deleted.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from cells.sandbox.layout import CellFiles

#: Time for a clean stop.  An idle manager needs one or two seconds.
STOP_TIMEOUT_SECONDS = 15.0
_PAUSE_SECONDS = 0.02
_MODULE = "cells.cmd.manager"
_PROGRAM = "cells-manager"


class Manager(NamedTuple):
    """A running manager process."""

    pid: int
    config: Path


def command_line(files: CellFiles) -> list[str]:
    """Return the command that starts the manager of a cell, with the Python interpreter of this process."""
    return [sys.executable, "-m", _MODULE, "--config-file", str(files.config)]


def find(directory: Path) -> list[Manager]:
    """Return the running managers of the sandbox in ``directory``."""
    return [manager for manager in _all_managers() if manager.config.parent.parent == directory]


def memory_mb(pid: int) -> float | None:
    """Return the resident memory of a process, None if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)
    return None if kilobytes is None else round(kilobytes / 1024, 1)


def stop(managers: Collection[Manager], timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
    """Stop the managers, all at the same time, with SIGTERM; after the timeout, kill them.

    If this thread is interrupted (Ctrl-C) while it waits, the managers are killed at once.

    :raises PermissionError: a manager belongs to another user
    """
    left = _signal(managers, signal.SIGTERM)
    # A suspended process handles SIGTERM only after SIGCONT.
    _signal(left, signal.SIGCONT)
    try:
        left = _wait(left, timeout_seconds)
    finally:
        _wait(_signal(left, signal.SIGKILL), timeout_seconds)


def reload(managers: Collection[Manager]) -> None:
    """Have the managers read their neighbors again, with SIGHUP.

    :raises PermissionError: a manager belongs to another user
    """
    _signal(managers, signal.SIGHUP)


def _signal(managers: Collection[Manager], number: signal.Signals) -> list[Manager]:
    """Send the signal to the managers that still run; return these managers."""
    running = [manager for manager in managers if _is_running(manager)]
    for manager in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(manager.pid, number)
    return running


def _wait(managers: Collection[Manager], timeout_seconds: float) -> list[Manager]:
    """Wait until the managers end; return the managers that still run after the timeout."""
    deadline = time.monotonic() + timeout_seconds
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
    """Return the configuration file of a manager, None if the process is not a manager or has ended."""
    try:
        words = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return None
    if not any(word == _MODULE or os.path.basename(word) == _PROGRAM for word in words[:3]):
        return None
    named = [value for option, value in itertools.pairwise(words) if option == "--config-file"]
    return Path(named[-1]) if named else None

"""Shell scripts that look like manager processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cells.sandbox import processes
from cells.sandbox.layout import CellFiles, Layout

READY = "echo 'INFO cells-manager of cell x is ready (host x, neighbors: 0)'"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "sandbox")
    layout.directory.mkdir()
    return layout


@pytest.fixture
def command_line(tmp_path: Path) -> Callable[[CellFiles, str], list[str]]:
    """Return a function: the command line of a manager that runs a shell script and then waits forever."""
    shell = tmp_path / "cells-manager"
    shell.symlink_to("/bin/sh")
    never = tmp_path / "never"
    os.mkfifo(never)
    return lambda files, script: [
        str(shell),
        "-c",
        f"{script}; read nothing < {never}",
        "x",
        "--config-file",
        str(files.config),
    ]


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(layout: Layout, command_line: Callable[[CellFiles, str], list[str]]) -> Iterator[Start]:
    """Start a process for a cell and return when its script has run: ``start("api", "trap '' TERM")``."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str, script: str = ":") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command_line(layout.cell(name), f"{script}; echo on"), stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        return process

    try:
        yield begin
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.fixture
def scripts(
    layout: Layout, command_line: Callable[[CellFiles, str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Scripts by cell that the starter runs instead of managers; the processes are stopped after the test."""
    by_cell: dict[str, str] = {}
    monkeypatch.setattr(processes, "command_line", lambda files: command_line(files, by_cell.get(files.name, READY)))
    try:
        yield by_cell
    finally:
        processes.stop(processes.find(layout.directory), timeout_seconds=1)

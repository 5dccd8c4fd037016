"""The start of managers, with shell scripts as managers."""

from __future__ import annotations

import os
import time

import pytest

from cells import exceptions
from cells.sandbox import processes, starter
from cells.sandbox.layout import CellFiles, Layout


def cells(layout: Layout, *names: str) -> list[CellFiles]:
    found = [layout.cell(name) for name in names]
    for cell in found:
        cell.directory.mkdir()
    return found


def running(layout: Layout) -> set[str]:
    return {manager.config.parent.name for manager in processes.find(layout.directory)}


def test_all_are_ready_and_in_sessions_of_their_own(layout: Layout, scripts: dict[str, str]) -> None:
    starter.start(cells(layout, "a", "b", "c", "d", "e"))
    assert running(layout) == {"a", "b", "c", "d", "e"}
    for manager in processes.find(layout.directory):
        assert os.getsid(manager.pid) == manager.pid
        assert os.readlink(f"/proc/{manager.pid}/cwd") == str(manager.config.parent)
        assert os.readlink(f"/proc/{manager.pid}/fd/0") == "/dev/null"


def test_no_manager_to_start() -> None:
    starter.start([])


def test_only_a_few_start_at_a_time(layout: Layout, scripts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.os, "sched_getaffinity", lambda _: {0})
    scripts.update(a=":", b=":")
    with pytest.raises(exceptions.SandboxError):
        starter.start(cells(layout, "a", "b", "c"), timeout_seconds=0.3)
    assert layout.cell("b").log.exists()
    assert not layout.cell("c").log.exists()
    assert running(layout) == set()


def test_ended_manager_is_named_with_the_end_of_its_log(layout: Layout, scripts: dict[str, str]) -> None:
    scripts["b"] = "echo first; echo second; echo third >&2; echo; echo fourth; exit 7"
    with pytest.raises(exceptions.SandboxError) as caught:
        starter.start(cells(layout, "a", "b"))
    assert caught.value.cell == "b"
    assert "status 7" in caught.value.message
    assert caught.value.message.endswith("second / third / fourth")


def test_ended_manager_with_an_empty_log(layout: Layout, scripts: dict[str, str]) -> None:
    scripts["a"] = "exit 1"
    with pytest.raises(exceptions.SandboxError, match="empty"):
        starter.start(cells(layout, "a"))


def test_log_of_an_earlier_manager_is_ignored(layout: Layout, scripts: dict[str, str]) -> None:
    (cell,) = cells(layout, "a")
    cell.log.write_bytes(b"cells-manager of cell a is ready (host a)\nold news\n")
    scripts["a"] = ":"
    started_at = time.monotonic()
    with pytest.raises(exceptions.SandboxError) as caught:
        starter.start([cell], timeout_seconds=0.2)
    assert time.monotonic() - started_at >= 0.2
    assert "old news" not in caught.value.message
    assert cell.log.read_bytes().startswith(b"cells-manager of cell a is ready")

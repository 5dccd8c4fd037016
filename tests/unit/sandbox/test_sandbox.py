"""A sandbox, up and down; shell scripts stand for its managers, and a value for the tree that they form."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.sandbox import formation, processes, state
from cells.sandbox.layout import Layout
from cells.sandbox.sandbox import Sandbox
from cells.sandbox.tree import DEFAULT_TREE, parse
from tools.polling import poll

TREE = parse("api(b)")
TOPOLOGY = {"name": "api", "is_self": True, "children": []}


@pytest.fixture
def sandbox(layout: Layout, scripts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    layout.directory.rmdir()
    monkeypatch.setattr(formation, "wait", lambda conf, tree, timeout_seconds: TOPOLOGY)
    # pytest's directories have longer names than sockets may have.
    monkeypatch.setattr(Layout, "check_sockets", lambda self, names: None)
    return Sandbox(str(layout.directory))


def pids(sandbox: Sandbox) -> dict[str, int | None]:
    return {cell.path.last: cell.pid for cell in sandbox.status() or ()}


def kill(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        pid = pids(sandbox)[name]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    poll(lambda: all(pids(sandbox)[name] is None for name in names), "they are gone")


def test_up_and_down(sandbox: Sandbox) -> None:
    assert sandbox.status() is None
    told: list[str] = []
    up = sandbox.up(TREE, tell=told.append)
    assert (up.tree, up.topology, up.started) == (TREE, TOPOLOGY, ("api", "b"))
    assert told == [f"Starting 2 cells-manager in {sandbox.directory}."]
    cells = sandbox.status()
    assert cells is not None
    assert [(str(cell.path), cell.log.exists()) for cell in cells] == [("api", True), ("api!b", True)]
    assert all(cell.pid and cell.memory_mb for cell in cells)
    assert sandbox.down() is True
    assert not sandbox.directory.exists()
    assert processes.find(sandbox.directory) == []
    assert sandbox.status() is None
    assert sandbox.down() is False


def test_the_default_tree(sandbox: Sandbox) -> None:
    assert str(sandbox.up().tree) == DEFAULT_TREE


def test_up_twice_is_up_once(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    assert sandbox.up(TREE, "zmq").started == ()
    assert sandbox.up().tree == TREE
    assert pids(sandbox) == before


def test_another_one_is_in_the_way(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    for tree, transport in ((parse("api(c)"), None), (None, "rabbit://u:s3kr3t@h/")):
        with pytest.raises(exceptions.SandboxError, match="cells sandbox down") as caught:
            sandbox.up(tree, transport)
        assert "s3kr3t" not in caught.value.message
    assert pids(sandbox) == before


def test_only_what_has_ended_is_started_again(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    kill(sandbox, "b")
    assert sandbox.up().started == ("b",)
    assert pids(sandbox)["api"] == before["api"]
    assert pids(sandbox)["b"] not in (None, before["b"])


def test_what_does_not_start_again_leaves_the_others(sandbox: Sandbox, scripts: dict[str, str]) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    kill(sandbox, "b")
    scripts["b"] = "echo broken; exit 1"
    with pytest.raises(exceptions.SandboxError, match="broken"):
        sandbox.up()
    assert pids(sandbox) == {"api": before["api"], "b": None}


def test_what_is_left_after_all_have_ended_is_removed(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    kill(sandbox, "api", "b")
    database = sandbox.layout.cell("b").database
    database.write_text("spoiled")
    told: list[str] = []
    assert sandbox.up(tell=told.append).started == ("api", "b")
    assert "is removed" in told[0]
    assert database.read_bytes().startswith(b"SQLite")
    kill(sandbox, "api", "b")
    assert sandbox.up(parse("other")).tree == parse("other")
    assert [path.name for path in sandbox.directory.iterdir() if path.is_dir()] == ["other"]


def test_one_that_does_not_start_takes_all_down(sandbox: Sandbox, scripts: dict[str, str]) -> None:
    scripts["b"] = "echo out of order; exit 1"
    with pytest.raises(exceptions.SandboxError, match=r"cell b ended with status 1.*out of order"):
        sandbox.up(TREE)
    assert not sandbox.directory.exists()
    assert processes.find(sandbox.directory) == []


def test_an_interrupted_up_leaves_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(formation, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sandbox.up(TREE)
    assert not sandbox.directory.exists()
    assert processes.find(sandbox.directory) == []


def test_a_broker_that_is_not_there_leaves_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(exceptions.SandboxError, match="no RabbitMQ"):
        sandbox.up(TREE, "rabbit://u:s3kr3t@127.0.0.1:1/")
    assert not sandbox.directory.exists()


def test_virtual_hosts_that_stay_are_named_and_tried_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from cells.sandbox import virtual_hosts

    deleted: list[str] = []

    def refuse(names: Any) -> None:
        raise exceptions.SandboxError("RabbitMQ is asleep.")

    monkeypatch.setattr(virtual_hosts, "check_reachable", lambda url: None)
    monkeypatch.setattr(virtual_hosts, "create", lambda names, username: None)
    monkeypatch.setattr(virtual_hosts, "delete", refuse)
    sandbox.up(TREE, "rabbit://u:p@h/")
    with pytest.raises(exceptions.SandboxError, match=r"cells-sandbox-.*-1-api, cells-sandbox-.*-2-b.*asleep"):
        sandbox.down()
    assert processes.find(sandbox.directory) == []
    monkeypatch.setattr(virtual_hosts, "delete", deleted.extend)
    assert sandbox.down() is True
    assert len(deleted) == 2
    assert not sandbox.directory.exists()


def test_files_of_others_are_not_touched(sandbox: Sandbox) -> None:
    sandbox.directory.mkdir()
    theirs = sandbox.directory / "photos"
    theirs.touch()
    for change in (sandbox.up, sandbox.down):
        with pytest.raises(exceptions.SandboxError, match="nothing in it is touched"):
            change()
    theirs.unlink()
    sandbox.up(TREE)
    theirs.touch()
    sandbox.down()
    assert list(sandbox.directory.iterdir()) == [theirs]


def test_managers_are_ended_even_if_their_files_are_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.up(TREE)
    sandbox.directory.rename(tmp_path / "moved")
    assert len(processes.find(sandbox.directory)) == 2
    assert sandbox.down() is True
    assert processes.find(sandbox.directory) == []


def test_up_ends_managers_whose_files_are_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.up(TREE)
    before = {manager.pid for manager in processes.find(sandbox.directory)}
    sandbox.directory.rename(tmp_path / "moved")
    told: list[str] = []
    assert sandbox.up(TREE, tell=told.append).started == ("api", "b")
    assert told[0] == f"Managers whose files in {sandbox.directory} are gone are ended."
    after = {manager.pid for manager in processes.find(sandbox.directory)}
    assert len(after) == 2
    assert not before & after


def test_down_ends_managers_though_it_does_not_know_the_directory_any_more(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    sandbox.layout.state.unlink()
    with pytest.raises(exceptions.SandboxError, match=r"nothing in it is touched.* managers .* are ended"):
        sandbox.down()
    assert processes.find(sandbox.directory) == []
    assert sandbox.directory.exists()
    with pytest.raises(exceptions.SandboxError, match=r"nothing in it is touched\. Name another one"):
        sandbox.down()


def test_while_one_is_set_up_others_wait(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    with state.locked(sandbox.layout):
        for change in (sandbox.up, sandbox.down):
            with pytest.raises(exceptions.SandboxError, match="at work"):
                change()
    assert None not in pids(sandbox).values()


def test_a_directory_that_cannot_be_made(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(exceptions.SandboxError, match=r"cannot be"):
        Sandbox(str(tmp_path / "file" / "below")).up(TREE)


def test_a_cell_that_cannot_have_a_directory_leaves_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(exceptions.SandboxError, match="255 bytes"):
        sandbox.up(parse("ö" * 200))
    assert not sandbox.directory.exists()
    with pytest.raises(exceptions.SandboxError, match="cannot be called"):
        sandbox.up(parse("sandbox.json"))
    assert not sandbox.directory.exists()

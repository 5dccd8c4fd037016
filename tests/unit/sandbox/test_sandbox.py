"""A sandbox, up and down, with shell scripts as managers and a fixed topology."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from oslo_config.cfg import ConfigOpts

from cells import conf as cells_conf
from cells import exceptions
from cells.db.api import Database
from cells.sandbox import databases, formation, processes, state, virtual_hosts
from cells.sandbox.layout import Layout
from cells.sandbox.sandbox import Sandbox
from cells.sandbox.tree import DEFAULT_TREE, parse
from cells.transport import reserved_port
from tests.unit.sandbox.conftest import READY
from tools.polling import poll

TREE = parse("api(b)")
TOPOLOGY = {"name": "api", "is_self": True, "children": []}


@pytest.fixture
def sandbox(layout: Layout, scripts: dict[str, str], empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    def sync(conf: ConfigOpts) -> None:
        shutil.copyfile(empty_database, conf.database.connection.removeprefix("sqlite:///"))

    layout.directory.rmdir()
    monkeypatch.setattr(databases, "migration", SimpleNamespace(sync=sync))
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
    reported: list[str] = []
    up = sandbox.up(TREE, report=reported.append)
    assert (up.tree, up.topology, up.started) == (TREE, TOPOLOGY, ("api", "b"))
    assert len(reported) == 1
    assert sandbox.up(TREE, "zmq").started == ()
    assert sandbox.up().tree == TREE
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


def test_another_tree_transport_or_driver_is_refused_and_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    others = ((parse("api(c)"), None, None), (None, "rabbit://u:s3kr3t@h/", None), (None, None, "direct"))
    for tree, transport, links in others:
        with pytest.raises(exceptions.SandboxError, match="cells sandbox down") as caught:
            sandbox.up(tree, transport, links)
        assert "s3kr3t" not in caught.value.message
    # Nor does up or down change a sandbox while another command holds its lock.
    with state.locked(sandbox.layout):
        for change in (sandbox.up, sandbox.down):
            with pytest.raises(exceptions.SandboxError):
                change()
    assert pids(sandbox) == before


def test_up_starts_only_ended_managers(sandbox: Sandbox, scripts: dict[str, str]) -> None:
    sandbox.up(TREE)
    before = pids(sandbox)
    kill(sandbox, "b")
    scripts["b"] = "echo broken; exit 1"
    with pytest.raises(exceptions.SandboxError, match="broken"):
        sandbox.up()
    assert pids(sandbox) == {"api": before["api"], "b": None}
    del scripts["b"]
    assert sandbox.up().started == ("b",)
    assert pids(sandbox)["api"] == before["api"]
    assert pids(sandbox)["b"] not in (None, before["b"])


def test_up_replaces_a_sandbox_without_running_managers(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    kill(sandbox, "api", "b")
    database = sandbox.layout.cell("b").database
    database.write_text("spoiled")
    reported: list[str] = []
    assert sandbox.up(report=reported.append).started == ("api", "b")
    assert len(reported) == 2
    assert database.read_bytes().startswith(b"SQLite")
    kill(sandbox, "api", "b")
    assert sandbox.up(parse("other")).tree == parse("other")
    assert [path.name for path in sandbox.directory.iterdir() if path.is_dir()] == ["other"]


def addresses(sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """Return the address at which the manager of api listens, and that to which b connects."""
    listen = cells_conf.load([sandbox.layout.cell("api").config]).cells_direct.listen
    with contextlib.closing(Database(cells_conf.load([sandbox.layout.cell("b").config]))) as database:
        return listen, list(database.get("api").address_list)


def test_ports_are_kept(sandbox: Sandbox) -> None:
    sandbox.up(TREE, links="direct")
    before, _ = addresses(sandbox)
    kill(sandbox, "api")
    assert sandbox.up().started == ("api",)
    assert addresses(sandbox) == (before, before)
    kill(sandbox, "api", "b")
    assert sandbox.up().started == ("api", "b")
    assert addresses(sandbox) == (before, before)


def test_a_port_that_is_in_use_is_replaced_on_both_sides(sandbox: Sandbox, scripts: dict[str, str]) -> None:
    read_again = sandbox.directory.parent / "read-again"
    # A shell handles a signal when its current command has ended, and never one that its parent ignores (nohup).
    waits = f"trap 'echo > {read_again}' HUP; {READY}; while :; do sleep 0.05; done"
    shell = sandbox.directory.parent / "cells-manager"
    scripts["b"] = f'exec env --default-signal=HUP {shell} -c {shlex.quote(waits)} x "$@"'
    sandbox.up(TREE, links="direct")
    before, _ = addresses(sandbox)
    config = sandbox.layout.cell("api").config
    config.write_text(config.read_text() + "heartbeat = 7\n")
    kill(sandbox, "api")
    with reserved_port.reserve(int(before[0].rpartition(":")[2])) as taken:
        taken.listen()
        sandbox.up()
    after, dialed = addresses(sandbox)
    assert after == dialed != before
    assert cells_conf.load([config]).cells_direct.heartbeat == 7
    poll(read_again.exists, "b reads its neighbors again")
    # The new port is kept, too.
    kill(sandbox, "api")
    sandbox.up()
    assert addresses(sandbox) == (after, after)


def test_links_are_direct_on_rabbitmq_unless_the_sandbox_has_others(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_hosts, "check_reachable", lambda url: None)
    monkeypatch.setattr(virtual_hosts, "create", lambda names, username: None)
    monkeypatch.setattr(virtual_hosts, "delete", lambda names: None)

    def links_after(transport: str | None, links: str | None = None) -> str:
        sandbox.up(TREE, transport, links)
        kill(sandbox, "api", "b")
        found = state.read(sandbox.layout)
        assert found is not None
        assert found.ports.keys() == ({"api", "b"} if found.links == "direct" else set())
        return found.links

    assert links_after(None) == "rpc"
    assert links_after("rabbit://u:p@h/") == "direct"
    assert links_after(None) == "direct"
    assert links_after(None, "rpc") == "rpc"
    assert links_after("rabbit://u:p@h/") == "rpc"
    assert links_after("zmq", "direct") == "direct"


def test_manager_that_does_not_start_removes_the_sandbox(sandbox: Sandbox, scripts: dict[str, str]) -> None:
    scripts["b"] = "echo out of order; exit 1"
    with pytest.raises(exceptions.SandboxError) as caught:
        sandbox.up(TREE)
    assert caught.value.cell == "b"
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


def test_unreachable_broker_leaves_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(exceptions.SandboxError, match="RabbitMQ"):
        sandbox.up(TREE, "rabbit://u:s3kr3t@127.0.0.1:1/")
    assert not sandbox.directory.exists()


def test_remaining_virtual_hosts_are_named_and_deleted_later(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_other_files_are_not_changed(sandbox: Sandbox) -> None:
    sandbox.directory.mkdir()
    theirs = sandbox.directory / "photos"
    theirs.touch()
    for change in (sandbox.up, sandbox.down):
        with pytest.raises(exceptions.SandboxError, match="--directory"):
            change()
    assert theirs.exists()
    theirs.unlink()
    sandbox.up(TREE)
    theirs.touch()
    sandbox.down()
    assert list(sandbox.directory.iterdir()) == [theirs]


def test_up_and_down_stop_managers_whose_files_are_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.up(TREE)
    before = {manager.pid for manager in processes.find(sandbox.directory)}
    sandbox.directory.rename(tmp_path / "moved")
    assert sandbox.up(TREE).started == ("api", "b")
    after = {manager.pid for manager in processes.find(sandbox.directory)}
    assert len(after) == 2
    assert not before & after
    sandbox.directory.rename(tmp_path / "moved again")
    assert sandbox.down() is True
    assert processes.find(sandbox.directory) == []


def test_down_without_a_state_file_stops_managers_and_keeps_the_directory(sandbox: Sandbox) -> None:
    sandbox.up(TREE)
    sandbox.layout.state.unlink()
    with pytest.raises(exceptions.SandboxError):
        sandbox.down()
    assert processes.find(sandbox.directory) == []
    assert sandbox.layout.cell("b").database.exists()
    with pytest.raises(exceptions.SandboxError, match="--directory"):
        sandbox.down()


def test_directory_that_cannot_be_created(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(exceptions.SandboxError):
        Sandbox(str(tmp_path / "file" / "below")).up(TREE)


@pytest.mark.parametrize("name", ["ö" * 200, "sandbox.json"])
def test_cell_name_that_cannot_be_a_directory_leaves_nothing(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(exceptions.SandboxError) as caught:
        sandbox.up(parse(name))
    assert caught.value.cell == name
    assert not sandbox.directory.exists()

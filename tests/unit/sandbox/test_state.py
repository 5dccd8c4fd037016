"""The state file of a sandbox, and its lock."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from cells import exceptions
from cells.sandbox import state
from cells.sandbox.layout import Layout
from cells.sandbox.state import State
from cells.sandbox.tree import parse

KEPT = State(
    parse("api(b)"),
    "rabbit://u:s3kr3t@h/",
    {"api": "cells-sandbox-1", "b": "cells-sandbox-2"},
    "direct",
    {"api": 4001, "b": 4002},
)


def test_round_trip(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert state.read(layout) is None
    state.write(layout, KEPT)
    assert state.read(layout) == KEPT
    assert [path.name for path in tmp_path.iterdir()] == [layout.state.name]


def test_a_sandbox_of_an_earlier_release_has_links_of_the_driver_rpc() -> None:
    values = json.loads(KEPT.to_json())
    del values["links"], values["ports"]
    assert State.from_json(json.dumps(values)) == State(KEPT.tree, KEPT.transport, KEPT.virtual_hosts)


def test_only_this_user_reads_the_password(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    state.write(layout, KEPT)
    assert layout.state.stat().st_mode & 0o077 == 0
    assert "s3kr3t" not in repr(KEPT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"format": "of another program"}'),
        *(json.dumps({**json.loads(KEPT.to_json()), "tree": wrong}) for wrong in ("api(../../x)", 1)),
        json.dumps({**json.loads(KEPT.to_json()), "virtual_hosts": None}),
        json.dumps({**json.loads(KEPT.to_json()), "links": "memory"}),
        *(json.dumps({**json.loads(KEPT.to_json()), "ports": wrong}) for wrong in (None, {"api": "4001"})),
    ],
)
def test_malformed_state_is_an_error_with_its_path(tmp_path: Path, text: str) -> None:
    layout = Layout(tmp_path)
    layout.state.write_text(text)
    with pytest.raises(exceptions.SandboxError) as caught:
        state.read(layout)
    assert str(layout.state) in caught.value.message


def test_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "sandbox")
    state.check_is_ours(layout)
    layout.directory.mkdir()
    state.check_is_ours(layout)
    layout.lock.touch()
    state.check_is_ours(layout)
    (layout.directory / "photos").mkdir()
    with pytest.raises(exceptions.SandboxError, match="--directory"):
        state.check_is_ours(layout)
    state.write(layout, KEPT)
    state.check_is_ours(layout)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "file")
    layout.directory.touch()
    with pytest.raises(exceptions.SandboxError):
        state.check_is_ours(layout)


def test_lock_excludes_other_commands(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with state.locked(layout), pytest.raises(exceptions.SandboxError), state.locked(layout):
        pass
    with state.locked(layout):
        layout.lock.unlink()
    with state.locked(layout):
        assert layout.lock.exists()


def test_a_state_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: State) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(State, "to_json", fail)
    layout = Layout(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        state.write(layout, State(parse("api"), "zmq:///"))
    state.check_is_ours(layout)


def test_a_directory_that_is_gone_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(exceptions.SandboxError, match="lock"), state.locked(Layout(tmp_path / "gone")):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("is_directory", [True, False])
def test_a_state_of_another_user_is_not_used(tmp_path: Path, is_directory: bool) -> None:
    """It could name any virtual host to be deleted."""
    layout = Layout(tmp_path / "planted")
    layout.directory.mkdir(mode=0o700)
    state.write(layout, KEPT)
    os.chown(layout.directory if is_directory else layout.state, 12345, -1)
    with pytest.raises(exceptions.SandboxError, match="chmod"):
        state.read(layout)


@pytest.mark.parametrize("is_directory", [True, False])
def test_a_state_that_another_user_may_change_is_not_used(tmp_path: Path, is_directory: bool) -> None:
    layout = Layout(tmp_path)
    state.write(layout, KEPT)
    (tmp_path if is_directory else layout.state).chmod(0o777)
    with pytest.raises(exceptions.SandboxError, match="chmod"):
        state.read(layout)


def test_a_state_never_names_the_virtual_hosts_of_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    state.write(layout, State(KEPT.tree, KEPT.transport, {"east": "production"}))
    with pytest.raises(exceptions.SandboxError):
        state.read(layout)

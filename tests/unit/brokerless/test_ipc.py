"""The socket directory: private to one user, and without stale sockets."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from oslo_config import cfg

from cells import conf, exceptions
from cells.brokerless import ipc


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as name:
        yield ipc.private_directory(name)


def listen(path: Path) -> socket.socket:
    """A server on ``path`` whose socket is old enough to be checked."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(1)
    os.utime(path, (1, 1))
    return server


def test_directory_is_created_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    previous = os.umask(0)
    try:
        assert ipc.private_directory(str(path)) == path
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert ipc.private_directory(path) == path


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_directory_that_other_users_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(exceptions.ConfigurationError, match=f"chmod 700 {tmp_path}.*ipc_dir"):
        ipc.private_directory(tmp_path)


def test_file_instead_of_the_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    for wrong in (path, path / "below"):
        with pytest.raises(exceptions.ConfigurationError, match=f"{wrong}.*ipc_dir"):
            ipc.private_directory(wrong)


def test_relative_path_is_refused() -> None:
    with pytest.raises(exceptions.ConfigurationError):
        ipc.private_directory("sockets")


def test_own_link_to_an_own_directory_is_accepted(tmp_path: Path) -> None:
    target = ipc.private_directory(tmp_path / "target")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert ipc.private_directory(link) == link


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
@pytest.mark.parametrize("is_link", [False, True])
def test_directory_or_link_of_another_user_is_refused(tmp_path: Path, is_link: bool) -> None:
    target = ipc.private_directory(tmp_path / "target")
    path = tmp_path / "link" if is_link else target
    if is_link:
        path.symlink_to(target)
    os.chown(path, 12345, -1, follow_symlinks=False)
    with pytest.raises(exceptions.ConfigurationError, match=str(path)):
        ipc.private_directory(path)


def test_default_directory_is_under_state_path(tmp_path: Path) -> None:
    options = cfg.ConfigOpts()
    conf.register(options)
    options.set_override("state_path", str(tmp_path))
    assert ipc.default_directory(options) == tmp_path / "sockets"


def test_default_directory_without_state_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert ipc.default_directory(cfg.ConfigOpts()) == tmp_path / "cells-zmq"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert ipc.default_directory(cfg.ConfigOpts()) == Path(tempfile.gettempdir()) / f"cells-zmq-{os.geteuid()}"


def test_length_limit_is_that_of_the_library() -> None:
    assert ipc.MAX_PATH_BYTES == zmq.IPC_PATH_MAX_LEN


def test_socket_path_may_have_the_full_length(directory: Path) -> None:
    name_bytes = len("/0123456789ab.sock")
    longest = directory / ("ö" * 200)
    room = ipc.MAX_PATH_BYTES - name_bytes - len(os.fsencode(directory)) - 1
    fitting = directory / ("x" * room)
    fitting.mkdir()

    path = ipc.new_socket_path(fitting)

    assert len(os.fsencode(path)) == ipc.MAX_PATH_BYTES
    listen(path).close()
    for too_long in (directory / ("x" * (room + 1)), longest):
        with pytest.raises(exceptions.ConfigurationError, match="ipc_dir"):
            ipc.new_socket_path(too_long)


def test_socket_paths_differ(directory: Path) -> None:
    paths = {ipc.new_socket_path(directory) for _ in range(100)}
    assert len(paths) == 100
    assert all(path.parent == directory and len(path.stem) == 12 and path.suffix == ".sock" for path in paths)


def test_sockets_are_listed_by_name_and_other_files_are_not(directory: Path) -> None:
    with listen(directory / "b.sock"), listen(directory / "a.sock"):
        (directory / "c.txt").touch()
        assert ipc.live_sockets(directory) == [directory / "a.sock", directory / "b.sock"]
    assert ipc.live_sockets(directory / "missing") == []


def test_only_sockets_without_a_listener_are_removed(directory: Path) -> None:
    for name in ("dead1.sock", "dead2.sock"):
        listen(directory / name).close()
    (directory / "file.sock").write_text("kept")
    (directory / "link.sock").symlink_to(directory / "dead1.sock")
    os.utime(directory / "file.sock", (1, 1))
    with listen(directory / "live.sock"):
        assert ipc.remove_stale(directory) == [directory / "dead1.sock", directory / "dead2.sock"]
        assert ipc.remove_stale(directory) == []
        assert sorted(os.listdir(directory)) == ["file.sock", "link.sock", "live.sock"]
    assert ipc.remove_stale(directory / "missing") == []


def test_socket_with_a_full_connection_queue_is_not_stale(directory: Path) -> None:
    path = directory / "busy.sock"
    with listen(path):
        clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(5)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(path))
        assert ipc.remove_stale(directory) == []
        for client in clients:
            client.close()


def test_new_socket_that_does_not_listen_yet_is_not_removed(directory: Path) -> None:
    path = directory / "new.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        assert ipc.remove_stale(directory) == []
        server.listen()
        assert path.exists()


def test_library_can_bind_the_path(directory: Path) -> None:
    path = ipc.new_socket_path(directory)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.bind(f"ipc://{path}")
        path.chmod(0o600)
        assert ipc.live_sockets(directory) == [path]
        os.utime(path, (1, 1))
        assert ipc.remove_stale(directory) == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

"""Paths of the files of a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import exceptions
from cells.brokerless.ipc import MAX_PATH_BYTES
from cells.sandbox.layout import SOCKET_NAME_BYTES, Layout, find_directory


def test_argument_precedes_environment_precedes_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CELLS_SANDBOX", raising=False)
    home = tmp_path.resolve()
    assert find_directory() == home / ".cells" / "sandbox"
    monkeypatch.setenv("CELLS_SANDBOX", "")
    assert find_directory() == home / ".cells" / "sandbox"
    monkeypatch.setenv("CELLS_SANDBOX", "~/mine")
    assert find_directory() == home / "mine"
    assert find_directory("~/other") == home / "other"


def test_one_directory_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    assert find_directory("link") == find_directory(str(tmp_path / "real")) == (tmp_path / "real").resolve()


def test_every_cell_has_files_of_its_own() -> None:
    layout = Layout(Path("/s"))
    files = [
        path for name in ("a", "b") for cell in [layout.cell(name)] for path in (cell.config, cell.log, cell.database)
    ]
    assert len(set(files)) == 6
    assert all(path.parent in (Path("/s/a"), Path("/s/b")) for path in files)


def test_the_paths_of_sockets_have_room_up_to_the_last_byte() -> None:
    room = MAX_PATH_BYTES - SOCKET_NAME_BYTES - len("/az1/ipc")
    Layout(Path("/" + "x" * (room - 1))).check_sockets(["a", "az1"])
    with pytest.raises(exceptions.SandboxError) as caught:
        Layout(Path("/" + "x" * room)).check_sockets(["a", "az1"])
    assert caught.value.cell == "az1"
    assert "--directory" in caught.value.message


def test_bytes_count_not_characters() -> None:
    with pytest.raises(exceptions.SandboxError):
        Layout(Path("/" + "ö" * 45)).check_sockets(["a"])


@pytest.mark.parametrize("directory", ["/what?", "/two\nlines"])
def test_a_directory_that_no_url_can_name(directory: str) -> None:
    with pytest.raises(exceptions.SandboxError, match="--directory"):
        Layout(Path(directory)).check(["a"])


def test_a_cell_cannot_have_the_name_of_a_file() -> None:
    layout = Layout(Path("/s"))
    layout.check(["a", "b"])
    for taken in (layout.state.name, layout.lock.name):
        with pytest.raises(exceptions.SandboxError) as caught:
            layout.check(["a", taken])
        assert caught.value.cell == taken

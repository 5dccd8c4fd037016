"""Files with keys are written completely or not at all, and only their owner may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cells import exceptions, private_files
from tests.cases import each


@each("mode", [0o600, 0o644])
@each("umask", [0, 0o077])
def test_permissions_do_not_depend_on_the_umask(tmp_path: Path, mode: int, umask: int) -> None:
    previous = os.umask(umask)
    try:
        private_files.write(tmp_path / "key", "text", mode=mode)
    finally:
        os.umask(previous)
    assert (tmp_path / "key").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(IsADirectoryError):
        private_files.write(tmp_path / "key", "text", mode=0o600)
    assert os.listdir(tmp_path) == ["key"]


def test_only_the_owner_may_read_a_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(FileNotFoundError):
        private_files.check_is_private(file, "replace")
    private_files.write(file, "text", mode=0o600)
    private_files.check_is_private(file, "replace")
    file.chmod(0o604)
    with pytest.raises(exceptions.ConfigurationError):
        private_files.check_is_private(file, "replace")

"""Key files are written completely or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq

from cells import private_files
from cells.brokerless import key_files


def test_public_file_is_readable_by_all_users(tmp_path: Path) -> None:
    key, _ = zmq.curve_keypair()
    path = tmp_path / "east.key"
    previous = os.umask(0o077)
    try:
        key_files.write_public(path, key, "of east")
    finally:
        os.umask(previous)
    assert key_files.read(path) == (key, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "of east" in path.read_text()


def test_pair_round_trip(tmp_path: Path) -> None:
    key_files.write_pair(tmp_path, "own")
    public, secret = key_files.read(tmp_path / "own.key_secret")
    assert secret is not None
    assert zmq.curve_public(secret) == public
    assert key_files.read(tmp_path / "own.key") == (public, None)
    private_files.check_is_private(tmp_path / "own.key_secret", "replace")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        key_files.read(tmp_path / "x")
    key_files.check_is_guarded(tmp_path / "x")


def test_key_may_be_text_or_bytes() -> None:
    key, _ = zmq.curve_keypair()
    assert key_files.check_key(key) == key_files.check_key(key.decode()) == key

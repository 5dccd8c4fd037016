"""The file of counts: what one manager wrote is there for the next one, however the first one ended."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cells.links.loss_file import FIRST_RECORDS, LossFile, LossFileCorrupt, Record, open_or_set_aside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "losses.api.host"


def test_numbers_are_in_the_file_at_once(path: Path) -> None:
    file = LossFile(path, 1000.0)
    slot = file.add("east", "cast", "NeighborUnreachable")
    assert slot is not None
    file.write(slot, 1, 2, 3, 4)
    file.write_in_flight(slot, 2**40)
    # A second descriptor sees the pages of the first one, as the next process does after a kill -9.
    copied = path.with_name("copy")
    copied.write_bytes(path.read_bytes())
    found = LossFile(copied, 2000.0)
    assert list(found.records()) == [Record("east", "cast", "NeighborUnreachable", 1, 2, 3, 2**40)]
    assert found.started_at == 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_is_not_used(path: Path) -> None:
    LossFile(path, 0.0).close()
    os.chown(path, 12345, -1)
    with pytest.raises(PermissionError):
        LossFile(path, 0.0)


def test_the_file_grows(path: Path) -> None:
    file = LossFile(path, 0.0)
    names = [f"cell-{number}-ä" for number in range(3 * FIRST_RECORDS)]
    for number, name in enumerate(names):
        slot = file.add(name, "cast", "")
        assert slot == number
        file.write_in_flight(slot, number)
    file.close()
    assert [(record.cell, record.in_flight) for record in LossFile(path, 0.0).records()] == [
        (name, number) for number, name in enumerate(names)
    ]


def test_long_names_are_cut_and_stay_readable(path: Path) -> None:
    LossFile(path, 0.0).add("ä" * 255, "k" * 300, "ö" * 300)
    copied = path.with_name("copy")
    copied.write_bytes(path.read_bytes())
    (record,) = LossFile(copied, 0.0).records()
    assert set(record.cell) == {"ä"}


def test_two_managers_do_not_share_a_file(path: Path) -> None:
    file = LossFile(path, 0.0)
    with pytest.raises(BlockingIOError):
        LossFile(path, 0.0)
    file.close()
    LossFile(path, 0.0).close()


@pytest.mark.parametrize("content", [b"x", b"x" * 5000, b"cells losses\n".ljust(16, b"\0") + b"\xff" * 9000])
def test_a_corrupt_file_is_set_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LossFileCorrupt):
        LossFile(path, 0.0)
    file, aside = open_or_set_aside(path, 0.0)
    assert list(file.records()) == []
    assert aside is not None
    assert aside.read_bytes() == content

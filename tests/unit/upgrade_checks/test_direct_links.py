"""Checks of direct links: none without them; each problem names its option."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells.certificates import issuing
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.upgrade_checks import direct_links
from tests.cases import each

NOW = datetime.now(timezone.utc)
Problems = tuple[list[str], list[str]]


class Cell:
    """The files of a cell."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificate, self.key = directory / "cell.crt", directory / "cell.key"

    def create(self, *, days: int = 100, now: datetime = NOW) -> None:
        key = issuing.new_key()
        text = issuing.self_signed(CellPath.parse("east"), key, now=now, days=days)
        issuing.write({self.key: key, self.certificate: text}, force=True)

    def authority(self, *, days: int = 100, now: datetime = NOW) -> Path:
        file = self.directory / "ca.crt"
        issuing.write({file: issuing.authority("ca", issuing.new_key(), now=now, days=days)}, force=True)
        return file

    def check(self, *lines: str, rows: Sequence[Neighbor] = ()) -> Problems:
        file = self.directory / "cells.conf"
        file.write_text("\n".join(["[DEFAULT]", f"state_path = {self.directory}", "[cells_direct]", *lines, ""]))
        return direct_links.check(cells_conf.load([file]), rows, NOW)


def neighbor(**columns: str) -> Neighbor:
    return Neighbor(**{"name": "api", "transport_url": "rabbit://u:p@h/v", "is_parent": True, **columns})


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path)


def test_cell_without_direct_links_needs_no_certificate(cell: Cell) -> None:
    assert cell.check() == ([], [])


def test_everything_in_order(cell: Cell) -> None:
    cell.create()
    lines = ("listen = 127.0.0.1:5680,[::1]:0", f"ca = {cell.authority()}")
    assert cell.check(*lines) == ([], [])


@each("line", ["listen = 127.0.0.1:5680", "certificate = $state_path/cell.crt", "ca = $state_path/ca.crt"])
def test_cell_with_an_option_needs_a_certificate(tmp_path: Path, line: str) -> None:
    cell = Cell(tmp_path)
    cell.authority()
    [failure], warnings = cell.check(line)
    assert failure.startswith("[cells_direct] certificate: ")
    assert warnings == []


@each("columns", [{"driver": "direct", "transport_url": ""}, {"also_accept": "direct"}])
def test_cell_with_a_direct_neighbor_needs_a_certificate(tmp_path: Path, columns: dict[str, str]) -> None:
    cell = Cell(tmp_path)
    assert cell.check(rows=[neighbor()]) == ([], [])
    assert len(cell.check(rows=[neighbor(**columns)])[0]) == 1


def test_certificates_of_neighbors(cell: Cell) -> None:
    cell.create()
    names = CellPath.parse("api")
    texts = [issuing.self_signed(names, issuing.new_key(), now=NOW, days=days) for days in (100, 20, 10)]
    row = neighbor(driver="direct", transport_url="", certificates="".join(texts))
    failures, warnings = cell.check(rows=[row])
    assert failures == []
    assert [warning.startswith("Neighbor api: ") for warning in warnings] == [True, True]


def test_key_alone_is_a_failure(cell: Cell) -> None:
    cell.create()
    cell.certificate.unlink()
    assert len(cell.check()[0]) == 1


def test_key_of_another_certificate(cell: Cell) -> None:
    cell.create()
    issuing.write({cell.key: issuing.new_key()}, force=True)
    [failure], _ = cell.check()
    assert str(cell.key) in failure


def test_key_that_other_users_can_read(cell: Cell) -> None:
    cell.create()
    cell.key.chmod(0o644)
    [failure], _ = cell.check()
    assert "chmod 600" in failure


@each(("age", "days", "expected"), [(0, 31, (0, 0)), (0, 29, (0, 1)), (40, 10, (1, 0)), (-10, 100, (1, 0))])
def test_dates_of_the_certificate(tmp_path: Path, age: int, days: int, expected: tuple[int, int]) -> None:
    cell = Cell(tmp_path)
    cell.create(now=NOW - timedelta(age), days=days)
    failures, warnings = cell.check()
    assert (len(failures), len(warnings)) == expected


@each(("age", "days", "expected"), [(0, 29, (0, 1)), (40, 10, (0, 1))])
def test_dates_of_an_authority(tmp_path: Path, age: int, days: int, expected: tuple[int, int]) -> None:
    cell = Cell(tmp_path)
    cell.create()
    failures, warnings = cell.check(f"ca = {cell.authority(now=NOW - timedelta(age), days=days)}")
    assert (len(failures), len(warnings)) == expected
    assert all(warning.startswith("[cells_direct] ca") for warning in warnings)


def test_each_problem_is_named(cell: Cell) -> None:
    cell.create()
    missing, damaged = cell.directory / "missing.crt", cell.directory / "damaged.crt"
    damaged.write_text("-----BEGIN CERTIFICATE-----\n")
    failures, _ = cell.check("listen = 127.0.0.1,:5680", f"ca = {missing},{damaged},{cell.certificate}")
    assert [failure.partition(":")[0] for failure in failures] == [
        *["[cells_direct] listen"] * 2,
        *["[cells_direct] ca"] * 3,
    ]
    assert str(missing) in failures[2]
    assert str(damaged) in failures[3]

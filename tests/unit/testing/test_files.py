"""Files of the cells of a tree."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells.brokerless import ipc
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.files import CellFiles

API, EAST = CellPath(["api"]), CellPath(["api", "east"])


@pytest.fixture
def files() -> Iterator[CellFiles]:
    files = CellFiles([API, EAST])
    yield files
    files.remove()


def test_a_manager_reads_the_configuration(files: CellFiles) -> None:
    conf = cells_conf.load([files.write_config(EAST, 2)])
    assert (conf.cells.name, conf.cells.driver, conf.host) == ("east", "memory", "east-2")
    assert conf.database.connection == f"sqlite:///{files.database(EAST)}"
    assert Path(conf.state_path).is_dir()


def test_later_options_override_earlier_options(files: CellFiles) -> None:
    config_file = files.write_config(
        EAST,
        1,
        {"cells": {"call_timeout": 1, "send_timeout": 2}, "upgrade_levels": {"intercell": "1.0"}},
        {"cells": {"call_timeout": 3}},
    )
    conf = cells_conf.load([config_file])
    assert (conf.cells.call_timeout, conf.cells.send_timeout, conf.upgrade_levels.intercell) == (3, 2, "1.0")


def test_list_is_written_as_oslo_config_reads_it(files: CellFiles) -> None:
    conf = cells_conf.load([files.write_config(EAST, 1, {"cells": {"capabilities": ["os=linux", "hypervisor=kvm"]}})])
    assert conf.cells.capabilities == ["os=linux", "hypervisor=kvm"]


def test_neighbors_are_in_the_database(files: CellFiles) -> None:
    row = Neighbor("east", files.transport_url(EAST), is_parent=False, driver="memory")
    files.write_database(API, [row])
    files.write_database(EAST, [])
    found = []
    for path in (API, EAST):
        database = Database(cells_conf.load([files.write_config(path, 1)]))
        found.append(database.neighbors())
        database.close()
    assert [[(one.name, one.transport_url, one.is_parent) for one in rows] for rows in found] == [
        [("east", row.transport_url, False)],
        [],
    ]


def test_every_cell_has_an_address_of_its_own(files: CellFiles) -> None:
    other = CellFiles([API])
    try:
        assert len({files.transport_url(API), files.transport_url(EAST), other.transport_url(API)}) == 3
    finally:
        other.remove()


def test_path_of_a_socket_is_short_enough_in_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    files = CellFiles([API])
    try:
        directory = Path(files.transport_url(API).removeprefix("zmq+ipc://"))
        assert len(os.fsencode(ipc.new_socket_path(directory))) <= ipc.MAX_PATH_BYTES
    finally:
        files.remove()


def test_files_are_for_this_user_alone_and_removed_at_the_end(files: CellFiles) -> None:
    directory = files.write_config(API, 1).parent
    assert directory.stat().st_mode & 0o077 == 0
    files.remove()
    files.remove()
    assert not directory.exists()

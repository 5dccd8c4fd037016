"""Neighbors from a JSON file, and the loader that keeps the last known neighbors."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.certificates import issuing
from cells.counters import Counters
from cells.neighbors import Changes, NeighborTable
from cells.neighbors.loader import FileSource, NeighborLoader
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import NOW

URL = "rabbit://u:p@h:5672/v"


class Loading:
    """File with a loader that puts its rows into a table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counters = Counters()
        self.table = NeighborTable(300.0)
        self.told: list[Changes] = []
        self.loader = NeighborLoader("api", FileSource(path), self.table, self.counters, self.told.append)

    def write(self, data: Any) -> None:
        self.path.write_text(json.dumps(data))

    def load(self, data: Any) -> bool:
        self.write(data)
        return self.loader.load()

    @property
    def names(self) -> list[str]:
        return sorted(self.table.snapshot().all())


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    return Loading(tmp_path / "cells.json")


def child(**changed: Any) -> dict[str, Any]:
    return {"transport_url": URL, "is_parent": False, **changed}


def test_file_gives_rows(loading: Loading) -> None:
    loading.write({"east": child(weight_scale=2), "top": child(is_parent=True, driver="memory")})
    assert FileSource(str(loading.path)).neighbors() == [
        Neighbor("east", URL, False, weight_scale=2.0),
        Neighbor("top", URL, True, driver="memory"),
    ]


def test_empty_object_means_no_neighbors(loading: Loading) -> None:
    loading.write({})
    assert FileSource(loading.path).neighbors() == []


@each(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b'"east"', b"\xff\xfe\xff", b'{"east": {}} x', b'{"a":' * 100_000),
        b'{"a": 1' + b"0" * 5000 + b"}",
    ],
)
def test_file_that_holds_no_neighbors_is_a_configuration_error(loading: Loading, content: bytes) -> None:
    loading.path.write_bytes(content)
    with pytest.raises(exceptions.ConfigurationError, match=loading.path.name):
        FileSource(loading.path).neighbors()


@each(
    ("data", "problem"),
    [
        ({"east": None}, "east"),
        ({"east": {}}, "lacks is_parent and transport_url"),
        ({"east": child(is_parent="no")}, "is_parent"),
        ({"east": child(transport_url="")}, "URL"),
        ({"east": child(colour="red")}, "colour"),
        ({"east": child(version_cap=1.1)}, "version_cap"),
        ({"east": child(weight_scale=float("nan"))}, "weight_scale"),
        ({"a!b": child()}, "a!b"),
        ({"": child()}, "name"),
        ({"east": child(name="west")}, "west"),
        ({"good": child(), "east": child(driver="")}, "driver"),
        ({"east": child(driver=""), "west": child(is_parent=1)}, "'east': driver.* 'west': is_parent"),
    ],
)
def test_wrong_row_is_a_configuration_error(loading: Loading, data: Any, problem: str) -> None:
    loading.write(data)
    with pytest.raises(exceptions.ConfigurationError, match=problem) as caught:
        FileSource(loading.path).neighbors()
    assert loading.path.name in caught.value.message
    assert "u:p@" not in caught.value.message


def test_a_certificate_of_two_neighbors_is_a_configuration_error(loading: Loading) -> None:
    pem = issuing.self_signed(CellPath.parse("api!east"), issuing.new_key(), now=NOW, days=1)
    direct = {"driver": "direct", "is_parent": False, "certificates": pem}
    loading.write({"east": direct})
    assert FileSource(loading.path).neighbors() == [Neighbor("east", "", False, driver="direct", certificates=pem)]
    loading.write({"east": direct, "west": direct})
    with pytest.raises(exceptions.ConfigurationError, match=r"'west'.* that of east"):
        FileSource(loading.path).neighbors()


def test_missing_file_and_folder_are_configuration_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "no.json", tmp_path):
        with pytest.raises(exceptions.ConfigurationError, match="cells_config"):
            FileSource(path).neighbors()


def test_load_reports_the_changes(loading: Loading) -> None:
    assert loading.load({"east": child(), "west": child()})
    assert loading.names == ["east", "west"]
    assert loading.load({"east": child(transport_url=URL + "2"), "north": child()})
    assert loading.names == ["east", "north"]
    first, second = loading.told
    assert [row.name for row in first.added] == ["east", "west"]
    assert [row.name for row in second.added] == ["north"]
    assert [row.name for row in second.changed] == ["east"]
    assert sorted(row.name for row in second.removed) == ["east", "west"]


def test_load_without_changes_reports_nothing(loading: Loading) -> None:
    loading.load({"east": child()})
    assert loading.load({"east": child()})
    assert len(loading.told) == 1


def test_last_known_table_stays_while_the_source_is_away(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loading.load({"east": child()})
    loading.path.unlink()
    assert [loading.loader.load() for _ in range(3)] == [False] * 3
    assert loading.names == ["east"]
    assert loading.counters.as_dict() == {"load_failed.ConfigurationError": 3}
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1
    assert loading.load({"east": child()})
    assert "can be loaded again" in caplog.text
    loading.path.unlink()
    loading.loader.load()
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 2


def test_neighbor_with_the_own_name_is_ignored(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    rows = {"api": child(), "east": child()}
    assert loading.load(rows)
    assert loading.load(rows)
    assert loading.names == ["east"]
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 1}
    (told,) = [record.getMessage() for record in caplog.records if "own name" in record.getMessage()]
    assert f"remove it in {loading.path}, or" in told
    loading.load({"east": child()})
    loading.load(rows)
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 2}


def test_neighbor_with_an_unreadable_cap_stays_unchanged(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    rows = {"east": child(version_cap="9.9"), "west": child(version_cap="1.1"), "north": child()}
    assert loading.load(rows)
    assert loading.load(rows)
    caps = {name: row.version_cap for name, row in loading.table.snapshot().all().items()}
    assert caps == {"east": "9.9", "west": "1.1", "north": None}
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 1}
    (problem,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "east" in problem
    assert "'9.9'" in problem
    assert "counts as 1.0" in problem
    assert str(loading.path) in problem
    assert len(loading.told) == 1

    loading.load({**rows, "east": child(version_cap="")})
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 2}
    loading.load({**rows, "east": child(version_cap="AUTO")})
    assert loading.table.snapshot().all()["east"].version_cap == "AUTO"
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 2}
    loading.load(rows)
    assert loading.counters.as_dict() == {"refused.InvalidNeighbor": 3}


@pytest.mark.parametrize("cap", ["1.0", "1.3", "auto", "stein", "cells-0.2", " Grizzly "])
def test_readable_cap_stays_unchanged(loading: Loading, cap: str) -> None:
    assert loading.load({"east": child(version_cap=cap)})
    assert loading.table.snapshot().all()["east"].version_cap == cap
    assert loading.counters.as_dict() == {}


def test_rows_of_a_database_are_corrected_with_commands(caplog: pytest.LogCaptureFixture) -> None:
    source = SlowSource([Neighbor("api", URL, False), Neighbor("east", URL, False, version_cap="9.9")])
    source.may_answer.set()
    assert NeighborLoader("api", source, NeighborTable(300.0), Counters(), lambda changes: None).load()
    own_name, cap = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert '"cells neighbor delete api"' in own_name
    assert '"cells neighbor set east --version-cap ..."' in cap


class SlowSource:
    """Source that reads its rows when it is asked, and returns them when the test lets it."""

    def __init__(self, rows: list[Neighbor]) -> None:
        self.rows = rows
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def neighbors(self) -> list[Neighbor]:
        rows = self.rows
        self.is_asked.set()
        assert self.may_answer.wait(10)
        return rows

    def close(self) -> None:
        raise AssertionError("The loader does not close it")


def test_of_two_loads_at_once_the_later_counts() -> None:
    east, west = (Neighbor(name, URL, False) for name in ("east", "west"))
    source, table = SlowSource([east]), NeighborTable(300.0)
    loader = NeighborLoader("api", source, table, Counters(), lambda changes: None)
    first, second = (threading.Thread(target=loader.load) for _ in range(2))
    first.start()
    assert source.is_asked.wait(10)
    source.is_asked.clear()
    source.rows = [west]
    second.start()
    assert not source.is_asked.wait(0.05)
    source.may_answer.set()
    for thread in (first, second):
        thread.join(10)
    assert list(table.snapshot().all()) == ["west"]


def test_no_password_in_the_log(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loading.load({"east": child(transport_url="rabbit://u:secret@h/v")})
    loading.load({"east": child(transport_url="rabbit://u:secret@h/w"), "api": child()})
    loading.load({"east": child(transport_url="rabbit://u:secret@h:port/w")})
    assert caplog.records
    assert "secret" not in caplog.text

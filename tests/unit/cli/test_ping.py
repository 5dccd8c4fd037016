"""``cells ping``."""

from __future__ import annotations

import csv
import io

import pytest

from cells import exceptions
from tests.unit.cli.conftest import Cells, Manager

ANSWER = {"cell": "api!east", "host": "h1", "version": "1.1", "release": "1", "subtree": ["x"]}
LOST = exceptions.CellTimeout("east is\nsilent")
FAST = ("--interval", "0.001")


def test_a_line_for_each_answer_and_a_summary(cells: Cells, manager: Manager) -> None:
    manager.answers = [ANSWER, ANSWER]
    lines = cells.succeed("ping", "east", "--count", "2", "--timeout", "3", *FAST).out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [
        "seq=1 answer from api!east, host h1, API 1.1",
        "seq=2 answer from api!east, host h1, API 1.1",
    ]
    assert lines[2].startswith("--- east: 2 sent, 2 answered, min/median/max ")
    assert manager.asked == [("call", "east", "ping", {}, 3.0)] * 2


def test_lost_answers_are_shown_and_the_status_is_1(cells: Cells, manager: Manager) -> None:
    manager.answers = [LOST, ANSWER]
    result = cells("ping", "east", "--count", "2", *FAST)
    assert result.status == 1
    assert "seq=1 no answer from east" in result.out
    assert "CellTimeout: east is silent" in result.out
    assert "2 sent, 1 answered" in result.out
    manager.answers = [LOST]
    result = cells("ping", "east")
    assert (result.status, result.out.splitlines()[-1]) == (2, "--- east: 1 sent, 0 answered")


def test_json_has_a_row_for_each(cells: Cells, manager: Manager) -> None:
    manager.answers = [ANSWER, LOST]
    result = cells("ping", "east", "--count", "2", "-f", "json", *FAST)
    first, second = result.value
    assert result.status == 1
    assert first.pop("time_ms") >= 0
    assert second.pop("time_ms") >= 0
    assert first == {"seq": 1, "cell": "api!east", "host": "h1", "version": "1.1", "error": None}
    assert second == {"seq": 2, "cell": "east", "host": None, "version": None, "error": "CellTimeout: east is silent"}


def test_csv(cells: Cells, manager: Manager) -> None:
    manager.answers = [ANSWER]
    rows = list(csv.DictReader(io.StringIO(cells.succeed("ping", "east", "-f", "csv").out)))
    assert [row["host"] for row in rows] == ["h1"]


def test_answer_that_is_no_object_is_an_answer(cells: Cells, manager: Manager) -> None:
    manager.answers = ["pong"]
    assert cells.succeed("ping", "east", "-f", "json").value[0]["cell"] == "east"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *((("--count", wrong), f"'{wrong}'") for wrong in ("0", "-1", "x")),
        (("--interval", "0"), "'0'"),
        (("--timeout", "soon"), "'soon'"),
        (("-f", "nope"), "nope"),
    ],
)
def test_a_wrong_command_line(cells: Cells, manager: Manager, words: tuple[str, str], told: str) -> None:
    assert told in cells.fail("ping", "east", *words, status=2)
    assert manager.asked == []

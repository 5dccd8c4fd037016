"""``cells call`` and ``cells cast``."""

from __future__ import annotations

from typing import Any

import yaml

from cells import exceptions
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

VALUES = [None, True, 7, 1.5, "text", "ö\n", "", [], [1, "a", None], {}, {"a": {"b": [1]}, "c": None}]


def test_what_is_asked(cells: Cells, manager: Manager) -> None:
    manager.answers = [1]
    cells.succeed(
        "call", "api!east", "resize", "name=vm=1", "size:=3", 'tags:=["x"]', "url=http://a:=b", "--timeout", "2.5"
    )
    arguments = {"name": "vm=1", "size": 3, "tags": ["x"], "url": "http://a:=b"}
    assert manager.asked == [("call", "api!east", "resize", arguments, 2.5)]


@each("value", VALUES)
def test_json_and_yaml_are_the_value_itself(cells: Cells, manager: Manager, value: Any) -> None:
    manager.answers = [value] * 4
    assert cells.succeed("call", "east", "get", "-f", "json").value == value
    assert yaml.safe_load(cells.succeed("call", "east", "get", "-f", "yaml").out) == value
    # The other formats show every value, too.
    cells.succeed("call", "east", "get")
    cells.succeed("call", "east", "get", "-f", "value")


def test_json_on_one_line_and_readable_forms(cells: Cells, manager: Manager) -> None:
    manager.answers = [{"a": {"b": [1]}}, "plain ö", {"host": "h", "load": {"cpu": [1, None]}}, ["a", 2]]
    assert cells.succeed("call", "east", "get", "-f", "json", "--noindent").out.count("\n") == 1
    assert cells.succeed("call", "east", "get", "-f", "value").out == "plain ö\n"
    table = cells.succeed("call", "east", "get").out
    assert 'load  | {"cpu": [1, null]}' in table
    assert cells.succeed("call", "east", "get", "-f", "value").out == "a\n2\n"


def test_an_error_of_the_other_cell_is_one_line(cells: Cells, manager: Manager) -> None:
    manager.answers = [exceptions.RemoteError("ValueError: two\nlines"), exceptions.CellTimeout("No answer from x.")]
    assert cells.fail("call", "x", "get") == "cells: ValueError: two lines\n"
    assert cells.fail("call", "x", "get", "-f", "json") == "cells: CellTimeout: No answer from x.\n"


def test_an_unexpected_error_is_one_line_and_a_hint(cells: Cells, manager: Manager) -> None:
    manager.answers = [KeyError("odd"), KeyError("odd")]
    error = cells.fail("call", "x", "get")
    assert "KeyError" in error
    assert "--debug" in error
    result = cells("--debug", "call", "x", "get")
    assert result.status == 2
    assert "Traceback" in result.err


@each(
    ("words", "told"),
    [
        (("call", "x"), "METHOD"),
        *(((command, "x", "m", "word"), "'word'") for command in ("call", "cast")),
        (("call", "x", "m", "a:=oops"), "oops"),
        (("call", "x", "m", "a=1", "a=2"), "twice"),
        *((("call", "x", "m", "--timeout", wrong), f"'{wrong}'") for wrong in ("0", "-1", "inf")),
    ],
)
def test_a_wrong_command_line(cells: Cells, manager: Manager, words: tuple[str, ...], told: str) -> None:
    assert told in cells.fail(*words, status=2)
    assert manager.asked == []


def test_cast_sends_and_prints_nothing(cells: Cells, manager: Manager) -> None:
    manager.answers = ["api!east"]
    assert cells.succeed("cast", "east", "wake", "n:=1").out == ""
    assert manager.asked == [("locate", "east"), ("cast", "east", "wake", {"n": 1})]


def test_cast_to_an_unknown_cell_is_an_error(cells: Cells, manager: Manager) -> None:
    manager.answers = [exceptions.CellNotFound("There is no cell west.")]
    assert cells.fail("cast", "west", "wake") == "cells: CellNotFound: There is no cell west.\n"
    assert manager.asked == [("locate", "west")]

"""``cells trace``."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from tests.unit.cli.conftest import Cells, Manager

WAY = [
    {"cell": "api", "event": "asked", "at": 1000.5},
    {"cell": "east", "event": "received", "at": 999.25},
    {"cell": "api", "event": "answer received", "at": 1000.51},
]


@pytest.fixture
def traced(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """Fake manager with the method trace."""

    def trace(_: object, cell: str, *, timeout: float | None = None) -> Any:
        manager.asked.append(("trace", cell, timeout))
        answer = manager.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(manager, "trace", trace, raising=False)
    return manager


def test_a_row_for_each_event_with_the_seconds_since_the_first(cells: Cells, traced: Manager) -> None:
    traced.answers = [{"events": WAY, "error": None}] * 2
    assert cells.succeed("trace", "east", "--timeout", "3", "-f", "json").value == [
        {"cell": "api", "event": "asked", "seconds": 0.0},
        {"cell": "east", "event": "received", "seconds": -1.25},
        {"cell": "api", "event": "answer received", "seconds": 0.01},
    ]
    assert traced.asked == [("trace", "east", 3.0)]
    assert "| answer received |" in cells.succeed("trace", "east").out


def test_events_before_an_error_are_shown(cells: Cells, traced: Manager) -> None:
    traced.answers = [{"events": WAY[:2], "error": "The cell east\nhas no child az9."}]
    result = cells("trace", "az9", "-f", "json")
    assert (result.status, result.err) == (1, "cells: az9 did not answer: The cell east has no child az9.\n")
    assert [row["event"] for row in result.value] == ["asked", "received"]


def test_answer_without_a_trace_is_an_error(cells: Cells, traced: Manager) -> None:
    traced.answers = [{"events": [], "error": None}]
    result = cells("trace", "east", "-f", "json")
    assert (result.status, result.value) == (1, [])
    assert '"cells upgrade matrix"' in result.err


def test_version_cap_on_the_route_is_an_error(cells: Cells, traced: Manager) -> None:
    traced.answers = [exceptions.RPCVersionCapError("raise the cap")]
    assert cells.fail("trace", "east") == "cells: RPCVersionCapError: raise the cap\n"


def test_malformed_events_are_shown_without_an_error(cells: Cells, traced: Manager) -> None:
    traced.answers = [{"events": [*WAY[:1], {"at": "noon"}, {"cell": 3}, "x"], "error": None}]
    found = cells.succeed("trace", "east", "-f", "json").value
    assert [(row["cell"], row["seconds"]) for row in found] == [("api", 0.0), (None, None), (3, None)]


def test_a_wrong_command_line(cells: Cells, traced: Manager) -> None:
    assert "CELL" in cells.fail("trace", status=2)
    assert "'0'" in cells.fail("trace", "east", "--timeout", "0", status=2)
    assert traced.asked == []

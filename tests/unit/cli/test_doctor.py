"""``cells doctor``: the verdict, its exit status, and its formats."""

from __future__ import annotations

import pytest

from cells import doctor
from cells.doctor.checks import Check
from cells.doctor.examination import examine
from tests.unit.cli.conftest import Cells, Manager


class Fixed(Check):
    name = "fixed"

    def run(self, case: doctor.Case) -> list[doctor.Finding]:
        return [doctor.found("cap_too_low", f"tree: {case.is_tree}, {case.timeout_seconds:g} s", "east")]


@pytest.fixture
def one_finding(monkeypatch: pytest.MonkeyPatch, manager: Manager) -> None:
    monkeypatch.setattr(doctor, "examine", lambda case: examine(case, [[Fixed()]]))


@pytest.mark.usefixtures("one_finding")
def test_the_verdict_is_the_first_line_and_the_exit_status(cells: Cells) -> None:
    lines = cells.degraded("doctor").out.splitlines()
    assert (lines[0], lines[1]) == ("worth a look: 1 finding", "")
    assert lines[2].split() == ["WORTH", "A", "LOOK", "cap_too_low", "east", "(cell", "api)"]
    assert "tree: False, 5 s" in lines[3]
    assert "cells neighbor set east --version-cap" in lines[-1]
    assert "tree: True, 2 s" in cells.degraded("doctor", "--tree", "--timeout", "2").out


@pytest.mark.usefixtures("one_finding")
def test_json_is_one_object_and_csv_has_a_row_for_each_finding(cells: Cells) -> None:
    value = cells.degraded("doctor", "-f", "json").value
    assert (value["verdict"], value["status"], value["findings"][0]["name"]) == ("worth a look", 1, "cap_too_low")
    header, row = cells.degraded("doctor", "-f", "csv").out.splitlines()
    assert (header.split(",")[1], row.split(",")[1]) == ('"name"', '"cap_too_low"')


def test_a_file_that_is_missing_is_a_finding(cells: Cells) -> None:
    result = cells.bare("--config-file", "/no/such/file", "doctor", "-f", "json")
    assert (result.status, result.err) == (2, "")
    assert [finding["name"] for finding in result.value["findings"]] == ["configuration_unreadable"]

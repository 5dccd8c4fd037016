"""The reference has every option, metric and operation of the HTTP API, and symptoms name findings that exist."""

from __future__ import annotations

import re

from cells.api.routes import ROUTES
from cells.doctor.catalog import KINDS
from cells.metrics import names
from tests.project.sources import COMMANDS, DOC

REFERENCE = DOC / "reference"


def test_the_page_of_the_configuration_is_made_from_all_options() -> None:
    # Without ":group:" or a list of names, the directive documents each option of the name space.
    text = (REFERENCE / "configuration.rst").read_text()
    assert re.search(r"^\.\. show-options::\n\n   cells$", text, flags=re.MULTILINE)


def test_the_page_of_metrics_is_made_from_both_tables() -> None:
    page = (REFERENCE / "metrics.rst").read_text()
    assert re.findall(r"^\.\. cells-metrics:: (.*)$", page, flags=re.MULTILINE) == ["manager", "neighbors"]
    assert not set(names.MANAGER) & set(names.NEIGHBORS)


def test_the_page_of_the_api_lists_every_operation_and_no_other() -> None:
    page = (DOC / "admin" / "api.rst").read_text()
    listed = {
        (method, path)
        for line in re.findall(r"^``(?:GET|POST|PUT|DELETE) /.*$", page, flags=re.MULTILINE)
        for method, path in re.findall(r"``(?:(GET|POST|PUT|DELETE) )?(/[^`?]*)", line)
        if method
    } | {("GET", "/v1/")}
    assert listed == {(route.method, route.path.replace("<", "{").replace(">", "}")) for route in ROUTES}


def test_each_symptom_names_findings_that_exist() -> None:
    page = (DOC / "admin" / "troubleshooting.rst").read_text()
    table = page.partition("\nSymptoms\n")[2].partition("\nErrors\n")[0]
    rows = re.split(r"^   \* - ", table, flags=re.MULTILINE)[2:]
    assert rows
    for row in rows:
        _, commands, findings, _ = row.split("\n     - ")
        used = re.findall(r"``cells ([a-z]+(?: [a-z]+)?)", commands)
        assert used
        assert [command for command in used if command not in COMMANDS] == []
        found = re.findall(r"``([a-z_]+)``", findings)
        assert found
        assert set(found) <= set(KINDS)

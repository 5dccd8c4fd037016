"""The alert rules and the dashboard name only metrics and labels that a manager has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from cells.metrics.names import TABLE, Kind
from tests.cases import each
from tests.project.sources import DOC, ROOT

ALERTS = ROOT / "etc" / "cells" / "alerts.yaml"
DASHBOARD = json.loads((ROOT / "etc" / "cells" / "grafana-dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
#: Added by Prometheus itself, or by the scrape.
FOREIGN_LABELS = {"instance", "job", "le"}


def strings(value: Any, key: str) -> Iterator[str]:
    """Yield all texts under ``key`` in a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            yield from strings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


EXPRESSIONS = [*(rule["expr"] for rule in RULES), *strings(DASHBOARD, "expr"), *strings(DASHBOARD, "query")]
SERIES = {
    name if suffix is None else name + suffix
    for name, entry in TABLE.items()
    for suffix in (("_bucket", "_sum", "_count") if entry.kind is Kind.HISTOGRAM else (None,))
}


@each("expression", EXPRESSIONS)
def test_expressions_name_existing_series(expression: str) -> None:
    assert set(re.findall(r"\bcells_\w+", expression)) <= SERIES


@each("expression", EXPRESSIONS)
def test_expressions_name_existing_labels(expression: str) -> None:
    for name, selectors in re.findall(r"\b(cells_\w+)\{([^}]*)\}", expression):
        entry = TABLE.get(name) or TABLE[re.sub(r"_(bucket|sum|count)$", "", name)]
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors)) <= {*entry.labels, *FOREIGN_LABELS}


@each("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alarm_is_complete_and_documented(rule: dict[str, Any]) -> None:
    assert {"summary", "description"} <= set(rule["annotations"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert f"``{rule['alert']}``" in (DOC / "admin" / "metrics.rst").read_text()
    brackets = "".join(re.findall(r"[(){}\[\]]", rule["expr"]))
    while brackets != (brackets := re.sub(r"\(\)|\{\}|\[\]", "", brackets)):
        pass
    assert brackets == ""


def test_values_of_labels_exist() -> None:
    """An alarm with a state that no link has never rings."""
    from cells.neighbors import State

    text = "\n".join(EXPRESSIONS)
    states = {one for found in re.findall(r'state(?:=~|!=|=)"([^"]*)"', text) for one in found.split("|")}
    assert states <= {state.value for state in State}


def test_promtool_accepts_the_rules() -> None:
    if shutil.which("promtool") is not None:  # else the tests above check the names
        subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=True, timeout=60)


def test_panels_do_not_overlap_and_have_queries() -> None:
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
        assert all(target["expr"] for target in panel["targets"])
        assert place["x"] + place["w"] <= 24

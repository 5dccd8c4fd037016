"""etc/cells/api-policy.yaml.sample has the rules of all routes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from oslo_policy.generator import generate_sample

from cells.api.policies import list_rules

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "etc" / "cells" / "api-policy.yaml.sample"


def test_the_sample_is_as_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    generated = tmp_path / "sample"
    generate_sample(["--config-file", "etc/cells/policy-generator.conf", "--output-file", str(generated)])
    assert SAMPLE.read_text() == generated.read_text(), 'Run "tox -e genpolicy" and commit the sample.'


def test_the_sample_switched_on_has_the_defaults() -> None:
    lines = [line[1:] for line in SAMPLE.read_text().splitlines() if line.startswith('#"')]
    assert yaml.safe_load("\n".join(lines)) == {rule.name: rule.check_str for rule in list_rules()}

"""etc/cells/cells.conf.sample agrees with the options, and the tools of oslo.config accept it."""

import re
import sys
from pathlib import Path

import pytest
from oslo_config import generator, validator

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "cells" / "cells.conf.sample"

# The options of libraries change with their versions, so only the options of this
# project are compared.
OWN_NAMESPACE = "cells"


def validate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Return the exit status of oslo-config-validator."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["oslo-config-validator", *arguments])
    return int(validator.main() or 0)


def test_sample_has_every_option_of_this_project_as_generated(capsys: pytest.CaptureFixture[str]) -> None:
    generator.main(["--namespace", OWN_NAMESPACE, "--wrap-width", "79"])
    sections = [text for text in re.split(r"^\[.*\]\n", capsys.readouterr().out, flags=re.MULTILINE) if text.strip()]
    assert len(sections) >= 3

    sample = SAMPLE.read_text()
    for section in sections:
        assert section.strip() in sample, 'The sample is out of date: run "tox -e genconfig" and commit it.'


def test_sample_has_no_unknown_option() -> None:
    from cells import conf

    known = {option.name for _group, options in conf.list_opts() for option in options}
    section = re.search(r"^\[cells\]\n(.*?)^\[", SAMPLE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert section is not None
    named = set(re.findall(r"^#?(\w+) = ", section[1], flags=re.MULTILINE))
    assert named
    assert named <= known


@pytest.mark.parametrize(
    ("text", "expected_status"),
    [("[cells]\nname = api\n", 0), ("[cells]\nno_such_option = 1\n", 1), ("[sells]\nname = api\n", 1)],
)
def test_validator_accepts_known_options_and_refuses_unknown_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected_status: int
) -> None:
    config_file = tmp_path / "cells.conf"
    config_file.write_text(text)
    status = validate(monkeypatch, "--namespace", OWN_NAMESPACE, "--input-file", str(config_file))
    assert status == expected_status


def test_validator_accepts_the_sample_with_every_example_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert validate(monkeypatch, "--config-file", "etc/cells/config-generator.conf", "--input-file", str(SAMPLE)) == 0

"""Each finding of ``cells doctor`` is declared, made by a check, and in the reference."""

from __future__ import annotations

import re

from cells.doctor.catalog import KINDS, Severity
from tests.project.sources import DOC, ROOT

PAGE = (DOC / "reference" / "findings.rst").read_text()
SOURCES = [*(ROOT / "cells" / "doctor").rglob("*.py"), *(ROOT / "cells" / "neighbors").glob("*verdict.py")]
CODE = "\n".join(path.read_text() for path in SOURCES if path.name != "catalog.py")


def test_the_reference_lists_both_severities_and_every_key() -> None:
    assert re.findall(r"^\.\. cells-findings:: (.*)$", PAGE, re.MULTILINE) == ["broken", "worth a look"]
    assert {severity.text for severity in Severity} == {"broken", "worth a look"}


def test_every_finding_is_made_somewhere() -> None:
    assert [name for name in KINDS if f'"{name}"' not in CODE] == []


def test_every_name_in_the_code_is_declared() -> None:
    used = re.findall(r"""(?:found\(|_found\(link, |Problem\()\s*"([a-z_]+)\"""", CODE)
    assert used
    assert set(used) <= set(KINDS)

"""The documentation covers every error, counter and option that an operator can meet."""

from __future__ import annotations

import re
from pathlib import Path

from cells import conf, exceptions
from tests.cases import each
from tests.project.sources import DOC, ROOT

ERRORS = [name for name, found in vars(exceptions).items() if isinstance(found, type) and name[0] != "_"]
TROUBLESHOOTING = (DOC / "admin" / "troubleshooting.rst").read_text()
OPERATE = (DOC / "admin" / "operate.rst").read_text()
EVENTS = sorted(
    {
        event
        for path in (ROOT / "cells").rglob("*.py")
        for event in re.findall(r"""\.count\(\s*"([a-z_]+)\"""", path.read_text())
    }
)


@each("name", [name for name in ERRORS if issubclass(vars(exceptions)[name], exceptions.CellsError)])
def test_error_has_a_remedy_and_a_place_in_the_tree(name: str) -> None:
    for text in (TROUBLESHOOTING, exceptions.__doc__ or ""):
        assert re.search(rf"\b{name}\b", text)


@each("event", EVENTS)
def test_counter_is_explained(event: str) -> None:
    assert f"``{event}``" in OPERATE


@each("path", sorted(DOC.rglob("*.rst")), ids=lambda path: str(path.relative_to(DOC)))
def test_page_names_existing_options_and_has_no_placeholder(path: Path) -> None:
    known = {option.dest for _, options in conf.list_opts() for option in options}
    text = path.read_text()
    assert set(re.findall(r"``\[(?:cells|upgrade_levels)\]\s+([a-z_]+)", text)) <= known
    assert re.findall(r"@[A-Z]+@|\bTODO\b|\bFIXME\b", text) == []

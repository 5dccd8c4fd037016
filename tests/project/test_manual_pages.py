"""Each program has a manual page that is made from its parsers."""

from __future__ import annotations

import re
from importlib import metadata

from tests.project.sources import DOC

PROGRAMS = {
    entry.name for entry in metadata.distribution("cells-intercell").entry_points.select(group="console_scripts")
}


def test_each_program_has_a_manual_page() -> None:
    pages = re.findall(r'\("(reference/[a-z-]+)", "([a-z-]+)",', (DOC / "conf.py").read_text())
    assert {name for _, name in pages} == PROGRAMS
    for page, name in pages:
        assert (DOC / f"{page}.rst").read_text().splitlines()[1] == name


def test_the_page_of_the_tool_has_all_commands() -> None:
    # Without a list of names, the directive documents each entry point.
    text = (DOC / "reference" / "cells.rst").read_text()
    assert ".. autoprogram-cliff:: cells.cli\n   :application: cells --config-file FILE\n" in f"{text}\n"

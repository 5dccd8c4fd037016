"""README.md names only commands and files that exist."""

from __future__ import annotations

import re

from tests.cases import each
from tests.project.sources import COMMANDS, ROOT, commands_in

README = (ROOT / "README.md").read_text()
SHELL = "".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL))


@each("script", ["tools/demo", "tools/test", ".ci/run"])
def test_script_is_executable(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/bin/")


def test_first_command_needs_no_setup_and_the_tests_follow() -> None:
    lines = SHELL.splitlines()
    assert lines[0] == "tools/demo"
    assert "tools/test" in lines


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_commands_exist() -> None:
    used = commands_in(SHELL)
    assert "sandbox up" in used
    assert used <= COMMANDS

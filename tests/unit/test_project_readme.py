"""README.md and the documentation name only what exists."""

import re
from pathlib import Path

import pytest

from tests.cases import each

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def shell_lines() -> list[str]:
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@each("script", ["tools/demo", "tools/test", ".ci/run"])
def test_script_is_there_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.is_file()
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/bin/")


@pytest.mark.parametrize("command", ["tools/demo", "tools/test"])
def test_readme_shows_command(command: str) -> None:
    assert command in shell_lines()


def test_first_command_of_the_readme_is_the_one_that_needs_nothing() -> None:
    assert shell_lines()[0] == "tools/demo"


def test_readme_names_only_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_commands_of_the_readme_are_commands_of_the_tool() -> None:
    import configparser

    setup = configparser.ConfigParser(delimiters=("=",))
    setup.read(ROOT / "setup.cfg")
    known = set(re.findall(r"^(\w+)\s*=", setup["options.entry_points"]["cells.cli"], flags=re.MULTILINE))
    lines = "\n".join(line for line in shell_lines() if not line.startswith("cells-manager"))
    used = re.findall(r"^cells (?:--(?:config-file|sandbox) \S+ )?([a-z]+(?: [a-z]+)?)", lines, flags=re.MULTILINE)
    assert len(used) == len(re.findall("^cells ", lines, flags=re.MULTILINE)) > 0
    for words in used:
        assert words.replace(" ", "_") in known or words.split()[0] in known, words

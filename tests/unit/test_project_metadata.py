"""The entry points of setup.cfg load, and the installed entry points equal them."""

import configparser
import importlib.metadata
from pathlib import Path

from tests.cases import each

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "cells-intercell"
SETUP = configparser.ConfigParser(delimiters=("=",))
SETUP.read(ROOT / "setup.cfg")


def entry_points_of_setup() -> list[tuple[str, str, str]]:
    found = []
    for group, lines in SETUP["options.entry_points"].items():
        for line in lines.strip().splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            found.append((group, name, value))
    return found


@each(("group", "name", "value"), entry_points_of_setup())
def test_entry_point_loads(group: str, name: str, value: str) -> None:
    importlib.metadata.EntryPoint(name, value, group).load()


def test_installed_entry_points_are_those_of_setup() -> None:
    installed = importlib.metadata.distribution(DISTRIBUTION).entry_points
    assert {(found.group, found.name, found.value) for found in installed} == set(entry_points_of_setup()), (
        'The installed entry points differ from setup.cfg: run "pip install -e ." again.'
    )

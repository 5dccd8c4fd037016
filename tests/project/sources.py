"""Paths and commands that several guards need."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOC = ROOT / "doc" / "source"
COMMANDS = frozenset(entry.name.replace("_", " ") for entry in metadata.entry_points(group="cells.cli"))
_COMMAND = re.compile(r"^cells (?:--(?:config-file|sandbox) \S+ )?([a-z]+)(?: ([a-z]+))?", flags=re.MULTILINE)


def commands_in(shell_lines: str) -> set[str]:
    """Return the commands of ``cells``, without options and arguments: ``ping`` for ``cells ping az1``."""
    return {noun if noun in COMMANDS else f"{noun} {verb}" for noun, verb in _COMMAND.findall(shell_lines)}

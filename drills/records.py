"""Records: the messages that were executed, with their cells and times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

#: (number, cell) -> number of executions
Runs = Counter[tuple[str, str]]


def read(file: Path) -> Runs:
    """Return the executions so far."""
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter((number, cell) for number, cell, _time in (line.split(" ") for line in lines))

"""Write the three headline figures into the README, between its two marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report import Row, table

MARKS = ("<!-- bench -->", "<!-- /bench -->")
#: part -> index of its row; the README describes each of these rows.
HEADLINES = {"relay": -1, "calls": 1, "broadcast": 0}


def write(file: Path, described: Mapping[str, str], measured: Mapping[str, Sequence[Row]]) -> None:
    """Replace the text between the marks with the figures of this run.

    :raises ValueError: a part was not measured, or the file has no marks
    """
    missing = [part for part in HEADLINES if not measured.get(part)]
    if missing:
        raise ValueError(f"{file} also needs figures of {', '.join(missing)}: measure these parts in the same run.")
    rows = [measured[part][position] for part, position in HEADLINES.items()]
    machine = ", ".join(f"{name} {text}" for name, text in described.items())
    begin, end = MARKS
    text = f"{begin}\nMeasured in one run on: {machine}.\n\n{table(rows)}\n{end}"
    replaced, count = re.subn(
        f"{re.escape(begin)}.*{re.escape(end)}", lambda _: text, file.read_text(), flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{file} must have one {begin} with one {end} after it.")
    file.write_text(replaced)

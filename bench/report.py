"""Tables of measured figures and their targets."""

from __future__ import annotations

import csv
import io
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


@dataclass(frozen=True)
class Aim:
    """Target of a figure: ``Aim("<=", 2.7, "x")``."""

    comparison: str
    value: float
    unit: str

    def is_met_by(self, figure: float) -> bool:
        """Return whether ``figure``, in the same unit, meets the target."""
        return _HOLDS[self.comparison](figure, self.value)

    def __str__(self) -> str:
        return f"{self.comparison} {self.value:g}{self.unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    :param label: description of the measurement
    :param samples: number of measurements
    :param detail: further figures for readers: "p50 3.1 ms, p95 4.0 ms"
    """

    label: str
    samples: int
    detail: str
    figure: float
    unit: str
    aim: Aim | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.aim is None else self.aim.is_met_by(self.figure)

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the row's cells."""
        mark = {None: "", True: "met", False: "MISSED"}[self.is_met]
        figure = f"{self.figure:.2f}" if self.unit == "x" else f"{self.figure:.1f}"
        return (self.label, str(self.samples), self.detail, figure + self.unit, str(self.aim or ""), mark)

    def as_dict(self) -> dict[str, object]:
        """Return the row for JSON."""
        return {
            "what": self.label,
            "samples": self.samples,
            "detail": self.detail,
            "figure": self.figure,
            "unit": self.unit.strip(),
            "aim": None if self.aim is None else str(self.aim),
            "met": self.is_met,
        }


HEADINGS = ("measured", "n", "", "figure", "aim", "")


def table(rows: Sequence[Row]) -> str:
    """Return the table as Markdown with aligned columns."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def csv_text(rows: Sequence[Row]) -> str:
    """Return the table as CSV, for the documentation."""
    return csv_lines([HEADINGS, *(row.cells() for row in rows)])


def csv_lines(lines: Sequence[Sequence[str]]) -> str:
    """Return any table as CSV, for the documentation; the first line has the headings."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()

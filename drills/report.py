"""The table of all drills, and their JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from drills.evidence import CELLS
from drills.verdict import Verdict

KINDS = ("call", "rcast", "ecast", "bcall", "bcast")
HEADINGS = (
    "fault",
    "seconds",
    f"sent {' / '.join(KINDS)}",
    "errors told",
    "lost",
    "dropped by a broker",
    "counted",
    "may have arrived",
    "silent",
    "doubled",
    "unmentioned cells",
    "longest wait",
    "normal after",
    "",
)


def line(verdict: Verdict) -> str:
    """Return the line of one drill, as Markdown."""
    counted = verdict.counted
    columns = (
        verdict.title,
        f"{verdict.fault_seconds:.1f}",
        " / ".join(str(verdict.sent.get(kind, 0)) for kind in KINDS),
        _numbers(verdict.told, (*KINDS, CELLS)),
        _numbers(verdict.lost, KINDS),
        f"at most {verdict.dropped_by_broker}" if verdict.dropped_by_broker else "0",
        str(counted.lost),
        str(counted.may_have_arrived),
        str(verdict.silent),
        str(verdict.doubled),
        str(verdict.unmentioned),
        f"{verdict.longest_seconds:.1f} s",
        f"{verdict.normal_after_seconds:.1f} s" if verdict.normal_after_seconds else "at once",
        "VIOLATED" if verdict.violations else "kept",
    )
    return _row(columns)


def heading() -> str:
    """Return the first two lines of the table."""
    return f"{_row(HEADINGS)}\n{_row(['---'] * len(HEADINGS))}"


def as_json(links: str, seed: int, verdicts: Sequence[Verdict]) -> str:
    """Return all figures."""
    return (
        json.dumps(
            {"links": links, "seed": seed, "drills": [dataclasses.asdict(verdict) for verdict in verdicts]}, indent=2
        )
        + "\n"
    )


def _row(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |"


def _numbers(numbers: Mapping[str, int], kinds: Sequence[str]) -> str:
    return ", ".join(f"{numbers[kind]} {kind}" for kind in kinds if numbers.get(kind)) or "0"

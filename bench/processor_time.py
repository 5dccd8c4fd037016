"""Processor time of processes: it limits a relay when all cores are busy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the processor time of each process since its start."""
    return {name: _seconds(pid) for name, pid in pids.items()}


def _seconds(pid: int) -> float:
    # The program's name, in parentheses, may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS

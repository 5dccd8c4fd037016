"""A sandbox of many managers: its start-up time, its memory, and a broadcast to all of its cells."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.answers import check_answers
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.timing import durations
from cells import conf
from cells.cli import connection
from cells.context import get_admin_context
from cells.sandbox import processes, tree
from cells.sandbox.sandbox import Sandbox

#: 50 cells on three levels.
TREE = "api(east(a[1-24]),west(b[1-23]))"
WARM_UP = 5


@dataclass(frozen=True)
class Crowd:
    """The figures of one sandbox."""

    cells: int
    up_seconds: float
    resident_mb: float  #: sum over all managers; pages that they share count for each
    proportional_mb: float  #: the same, but shared pages count once
    broadcast_seconds: list[float]

    @property
    def broadcast_p50(self) -> float:
        """The median of the broadcasts, in seconds."""
        return statistics.median(self.broadcast_seconds)


def rows(run: Run) -> list[Row]:
    """Return the rows about a sandbox of many managers."""
    with directory() as made:
        many = measure(made / "crowd", run.rounds * 4)
    detail = f"resident {many.resident_mb:.0f} MB, {many.proportional_mb / many.cells:.1f} MB each"
    broadcasts, slowest = len(many.broadcast_seconds), f"slowest {max(many.broadcast_seconds):.2f} s"
    return [
        Row(f"sandbox of {many.cells} managers, until it is up", 1, "", many.up_seconds, " s"),
        Row("its memory", 1, detail, many.proportional_mb, " MB", Aim("<=", 5000, " MB")),
        Row("broadcast to all of it, warm", broadcasts, slowest, many.broadcast_p50, " s", Aim("<", 1, " s")),
    ]


def measure(place: Path, broadcasts: int) -> Crowd:
    """Set the sandbox up in ``place``, which must be a short path, measure it, and take it down."""
    wanted = tree.parse(TREE)
    sandbox = Sandbox(str(place))
    started = time.monotonic()
    try:
        sandbox.up(wanted)
        up_seconds = time.monotonic() - started
        taken = _broadcasts(sandbox, len(wanted.names()), broadcasts)
        pids = [manager.pid for manager in processes.find(sandbox.directory)]
        resident_mb = sum(processes.memory_mb(pid) or 0.0 for pid in pids)
        return Crowd(len(pids), up_seconds, resident_mb, sum(map(_proportional_mb, pids)), taken)
    finally:
        sandbox.down()


def _broadcasts(sandbox: Sandbox, cells: int, count: int) -> list[float]:
    with connection.to_manager(conf.load([sandbox.layout.cell("api").config])) as api:

        def broadcast() -> None:
            check_answers(api.broadcast_call(get_admin_context(), "ping"), cells)

        durations(broadcast, WARM_UP)
        return durations(broadcast, count)


def _proportional_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

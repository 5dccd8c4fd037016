"""One run of one drill, from the start of its tree to the verdict."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drills import ledger, records
from drills.catalog import Drill
from drills.evidence import Evidence, Window
from drills.kinds import SOURCES
from drills.load_client import LoadClients
from drills.operation import Operation
from drills.tree import Tree
from drills.verdict import Verdict, judge
from tools.direct_links import Links
from tools.manager_process import ManagerProcess
from tools.polling import poll

#: A message that has not run so long after the load has ended will not run any more.
SETTLE_SECONDS = 12.0
#: Time after which managers have counted all losses.
COUNT_SECONDS = 15.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Length:
    """Times of load before and after the fault, in seconds."""

    before: float = 6.0
    after: float = 15.0


def run(drill: Drill, place: Path, seed: int, length: Length, links: Links = "rpc") -> Verdict:
    """Run a drill; all its processes have ended when this returns.

    :param place: an empty directory with a short path
    :param links: driver of the links between the cells
    :raises tools.manager_process.ProcessError: the tree does not start
    """
    with (
        Tree(
            place,
            managers=drill.managers,
            options=drill.options,
            clock_ahead_seconds=drill.clock_ahead_seconds,
            links=links,
        ) as tree,
        LoadClients(place, {cell: tree.managers[cell].config_file for cell in SOURCES}, drill.rates, seed) as load,
    ):
        counted_before = ledger.read(tree.managers.values())
        load.start()
        time.sleep(length.before)
        began_at = time.monotonic()
        drill.fault(tree)
        ended_at = time.monotonic()
        window = Window(began_at, ended_at, tree.east_broker_down_at, tree.wait_connected())
        time.sleep(length.after)
        operations = load.finish()
        _settle(operations, tree.records)
        counted = _counted(tree, counted_before)
        problems = _stop(list(tree.managers.values()))
        logged = sum(ledger.logged(manager.log()) for manager in tree.managers.values())
        runs = records.read(tree.records)
        return judge(drill, Evidence(operations, runs, counted, logged, window, problems, links))


def _settle(operations: Sequence[Operation], file: Path) -> None:
    """Wait until all accepted messages have run, or will not run any more."""
    expected = {
        (one.number, cell) for one in operations if one.is_accepted for cell in SOURCES[one.source].cells(one.kind)
    }
    # The verdict reports the missing messages.
    with contextlib.suppress(TimeoutError):
        poll(lambda: expected <= records.read(file).keys(), "all messages have run", SETTLE_SECONDS, 0.2)


def _counted(tree: Tree, before: dict[str, ledger.Counts]) -> ledger.Counts:
    """Return the losses that the managers have counted during the drill, once no message is in flight."""

    found = ledger.Counts()

    def is_complete() -> bool:
        nonlocal found
        now = ledger.read(tree.managers.values())
        found = sum((now[host] - before[host] for host in now), ledger.Counts())
        return not found.in_flight

    # The verdict reports messages that are still in flight.
    with contextlib.suppress(TimeoutError):
        poll(is_complete, "no message is in flight", COUNT_SECONDS, pause_seconds=1.0)
    return found


def _stop(managers: Sequence[ManagerProcess]) -> list[str]:
    """Stop all managers in an orderly way; return the problems."""
    for manager in managers:
        manager.begin_stop()
    problems = []
    for manager in managers:
        try:
            status = manager.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            problems.append(f"the manager {manager.host} did not end within {STOP_SECONDS:g} s after SIGTERM")
            continue
        if status:
            problems.append(f"the manager {manager.host} ended with status {status}")
    return problems

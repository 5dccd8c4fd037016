"""A cell with up to a thousand children over direct links: a broadcast to all, threads and memory of its manager.

The manager is a real process without a broker; the children are :mod:`bench.light_children`, all in one process.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.answers import check_answers
from bench.footprint import settled_rss_kb
from bench.light_children import child_names
from bench.plain import running
from bench.processor_time import seconds
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.timing import durations
from cells.certificates import issuing
from cells.context import get_admin_context
from cells.path import CellPath
from cells.rpcapi import CellsAPI
from tools.direct_links import DirectLinks
from tools.manager_process import ManagerProcess
from tools.transports import connect

PARENT = "top"
#: The first number is that to which threads and memory are compared.
WIDTHS = (1, 50, 100, 400, 1000)
WARM_UP = 3
#: A round has so many broadcasts.
BROADCASTS = 4
TIMEOUT_SECONDS = 60
DAYS = 2


@dataclass(frozen=True)
class Width:
    """The figures of a manager with so many children."""

    children: int
    broadcast_seconds: list[float]
    #: processor time of the manager for a broadcast
    processor_seconds: float
    threads: int
    rss_mb: float

    @property
    def p50(self) -> float:
        """The median of the broadcasts, in seconds."""
        return statistics.median(self.broadcast_seconds)

    def row(self, aim: Aim | None) -> Row:
        """Return the row about broadcasts."""
        used = 1e6 * self.processor_seconds / self.children
        detail = f"p50 {1000 * self.p50:.1f} ms; processor time of its manager {used:.0f} us per child"
        label = f"broadcast to {self.children:,} children, direct links, per child"
        return Row(label, len(self.broadcast_seconds), detail, 1e6 * self.p50 / self.children, " us", aim)


def rows(run: Run) -> list[Row]:
    """Return the rows about children in one process."""
    first, *found = [_measure(width, run.rounds * BROADCASTS) for width in WIDTHS]
    most = found[-1]
    more = f"that {most.children - first.children:,} neighbors with direct links add"
    threads, memory = most.threads - first.threads, most.rss_mb - first.rss_mb
    return [
        *(width.row(Aim("<=", 400, " us") if width is most else None) for width in found),
        Row(f"threads {more}", 1, f"{first.threads}, then {most.threads}", threads, "", Aim("<=", 0, "")),
        Row(
            f"memory {more}", 1, f"{first.rss_mb:.1f} MB, then {most.rss_mb:.1f} MB", memory, " MB", Aim("<", 30, " MB")
        ),
    ]


def _measure(width: int, broadcasts: int) -> Width:
    with (
        directory() as place,
        _parent(place, width) as (manager, address),
        running("bench.light_children", str(place), PARENT, address, str(width)),
    ):
        transport = connect(manager.transport_url, place)
        try:
            return _measure_manager(manager, CellsAPI(transport, timeout=TIMEOUT_SECONDS), width, broadcasts)
        finally:
            transport.cleanup()


def _measure_manager(manager: ManagerProcess, api: CellsAPI, width: int, broadcasts: int) -> Width:
    def broadcast() -> None:
        check_answers(api.broadcast_call(get_admin_context(), "ping"), width + 1)

    durations(broadcast, WARM_UP)
    # Greetings and announcements have ended, too.
    rss_mb = settled_rss_kb(manager) / 1024
    pids = {PARENT: manager.running.pid}
    before = seconds(pids)[PARENT]
    taken = durations(broadcast, broadcasts)
    used = (seconds(pids)[PARENT] - before) / broadcasts
    return Width(width, taken, used, manager.threads(), rss_mb)


@contextlib.contextmanager
def _parent(place: Path, width: int) -> Iterator[tuple[ManagerProcess, str]]:
    """Run the manager; yield it, and the address at which it listens.

    Its neighbors are read from a file, and their certificates and keys are beside it.
    """
    key, now = issuing.new_key(), datetime.now(timezone.utc)
    neighbors = {}
    for name in child_names(width):
        pem = issuing.self_signed(CellPath([PARENT, name]), key, now=now, days=DAYS)
        issuing.write({place / f"{name}.crt": pem, place / f"{name}.key": key})
        neighbors[name] = {"is_parent": False, "driver": "direct", "certificates": pem}
    config = place / "neighbors.json"
    config.write_text(json.dumps(neighbors))
    links = DirectLinks(place / "direct", [PARENT])
    try:
        options = {**links.options(PARENT), "cells": {"cells_config": config}}
        manager = ManagerProcess(place, PARENT, f"zmq+ipc://{place}/{PARENT}", options=options)
        manager.sync_database()
        try:
            yield manager.start().wait_ready(), str(options["cells_direct"]["listen"])
        finally:
            manager.stop()
    finally:
        links.close()

"""Cost of an idle manager: memory, connections, and the time until it is ready."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.report import Aim, Row
from bench.run import Run, directory
from cells import conf
from cells.db import api
from cells.neighbors.neighbor import Neighbor
from tools.manager_process import ManagerProcess
from tools.polling import poll

NEIGHBORS = 1000
#: A figure counts as settled when it has been unchanged for this long.
SETTLED_SECONDS = 3.0


@dataclass(frozen=True)
class Footprint:
    """The figures of one manager."""

    #: seconds from exec until the log line "ready", for each start
    start_seconds: list[float]
    idle_rss_mb: float
    neighbors_rss_mb: float
    #: connections with only its own broker, and after its introduction to its neighbors
    idle_connections: int
    neighbors_connections: int


def rows(run: Run) -> list[Row]:
    """Return the rows about an idle manager."""
    with run.virtual_hosts(2) as urls, directory() as made:
        costs = measure(made, *urls, starts=run.rounds)
    growth = costs.neighbors_rss_mb - costs.idle_rss_mb
    memory = f"{costs.idle_rss_mb:.1f} MB, then {costs.neighbors_rss_mb:.1f} MB"
    connections = costs.neighbors_connections - costs.idle_connections
    links = f"{costs.idle_connections}, then {costs.neighbors_connections}"
    usual, slowest = statistics.median(costs.start_seconds), max(costs.start_seconds)
    starts, start = len(costs.start_seconds), f"slowest {slowest:.2f} s"
    return [
        Row("memory of an idle manager", 1, "resident", costs.idle_rss_mb, " MB", Aim("<=", 100, " MB")),
        Row("from exec to ready", starts, start, usual, " s", Aim("<=", 2, " s")),
        Row(f"memory that {NEIGHBORS} neighbors add", 1, memory, growth, " MB", Aim("<", 20, " MB")),
        Row(f"connections that {NEIGHBORS} neighbors add", 1, links, connections, "", Aim("<=", 0, "")),
    ]


def measure(place: Path, url: str, neighbor_url: str, starts: int) -> Footprint:
    """Start a manager ``starts`` times, then register 1,000 neighbors.

    :param neighbor_url: a broker without consumers
    """
    manager = ManagerProcess(place, "lonely", url)
    manager.sync_database()
    try:
        start_seconds = [_start(manager) for _ in range(starts)]
        # A manager that has answered once keeps the connection for replies open.
        manager.succeed("status")
        idle_kb, idle_connections = settled_rss_kb(manager), len(manager.connections())
        _register(manager.config_file, neighbor_url)
        manager.hup()
        poll(lambda: _is_introduced(manager), f"{NEIGHBORS} neighbors are introduced", 300.0, pause_seconds=0.5)
        full_kb = settled_rss_kb(manager)
        poll(lambda: len(manager.connections()) <= idle_connections, "links are closed again", 120.0)
        return Footprint(start_seconds, idle_kb / 1024, full_kb / 1024, idle_connections, len(manager.connections()))
    finally:
        manager.stop()


def _start(manager: ManagerProcess) -> float:
    manager.stop()
    started = time.monotonic()
    manager.start().wait_ready()
    return time.monotonic() - started


def _register(config_file: Path, neighbor_url: str) -> None:
    # Like "cells neighbor create", without a thousand starts of that command.
    database = api.Database(conf.load([config_file]))
    for number in range(NEIGHBORS):
        # Links are kept per URL: an option without effect gives each neighbor its own link.
        url = f"{neighbor_url}?rabbit_interval_max={number + 30}"
        database.create(Neighbor(name=f"child{number}", transport_url=url, is_parent=False))


def _is_introduced(manager: ManagerProcess) -> bool:
    """Return whether the manager has tried to send the two messages of an introduction to each neighbor."""
    answer = manager.cells("status", "-f", "json")
    if answer.returncode:
        return False
    counters = json.loads(answer.stdout)["counters"]
    return sum(count for name, count in counters.items() if name.startswith(("sent", "undelivered"))) >= 2 * NEIGHBORS


def settled_rss_kb(manager: ManagerProcess) -> int:
    """Return the resident memory when it has settled."""
    seen: list[tuple[float, int]] = []

    def is_settled() -> bool:
        now = time.monotonic()
        seen.append((now, manager.rss_kb()))
        lately = [rss for when, rss in seen if when > now - SETTLED_SECONDS]
        return now - seen[0][0] > SETTLED_SECONDS and max(lately) - min(lately) < 256

    poll(is_settled, "the memory of an idle manager is stable", timeout_seconds=120, pause_seconds=0.25)
    return seen[-1][1]

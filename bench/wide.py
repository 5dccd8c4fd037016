"""A tree of 111 managers with direct links and no broker: broadcasts to all, and calls beside them.

A broadcast is work for each of the managers, and they share the cores of one machine.  A call over one hop beside
broadcasts shows whether calls pass them.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bench.answers import check_answers
from bench.plain import running
from bench.report import Aim, Row
from bench.run import Run
from bench.timing import durations, percentile, rate
from cells.context import get_admin_context
from cells.path import CellPath
from cells.rpcapi import CellsAPI
from cells.testing.files import CellFiles
from tools.direct_links import DirectLinks
from tools.polling import poll
from tools.transports import connect

#: One cell above ten cells with ten children each.  The managers of each branch share a process.
TOP = CellPath(["top"])
BRANCHES = [
    [
        TOP.joined(CellPath([f"mid{mid}"])),
        *(TOP.joined(CellPath([f"mid{mid}", f"leaf{mid}x{leaf}"])) for leaf in range(10)),
    ]
    for mid in range(10)
]
CHILD = str(BRANCHES[0][0])
TIMEOUT_SECONDS = 60
WARM_UP = 5
#: So many threads broadcast at a time to find the rate that saturates the machine.
SATURATING_THREADS = 4
#: A round has so many broadcasts, and so many times more calls.
BROADCASTS, CALLS = 5, 20


@dataclass(frozen=True)
class Client:
    """A client of the topmost cell."""

    api: CellsAPI
    cells: int

    def broadcast(self) -> None:
        """Call a method of all cells and wait for all answers."""
        check_answers(self.api.broadcast_call(get_admin_context(), "ping"), self.cells)

    def is_formed(self) -> bool:
        """Return whether all cells answer."""
        return len(self.api.broadcast_call(get_admin_context(), "ping")) == self.cells


def rows(run: Run) -> list[Row]:
    """Return the rows about broadcasts to all cells and calls beside them."""
    with _tree() as client:
        broadcasts = durations(client.broadcast, run.rounds * BROADCASTS)
        most = rate(client.broadcast, SATURATING_THREADS, run.rounds * BROADCASTS)
        call = functools.partial(client.api.call, get_admin_context(), CHILD, "ping")
        idle, beside = [], []
        for _ in range(run.rounds):
            idle += durations(call, BROADCASTS * CALLS)
            with _broadcasting(client, most / 2):
                beside += durations(call, BROADCASTS * CALLS)
    p50, slowest = 1000 * statistics.median(broadcasts), 1000 * max(broadcasts)
    alone, late = percentile(idle, 99), percentile(beside, 99)
    detail = f"p99 {1000 * alone:.1f} ms alone, {1000 * late:.1f} ms beside {most / 2:.1f} broadcasts/s"
    return [
        Row(
            f"broadcast to {client.cells} managers without a broker, direct links",
            len(broadcasts),
            f"p50 {p50:.1f} ms, max {slowest:.1f} ms; at most {most:.1f}/s",
            p50,
            " ms",
            Aim("<=", 100, " ms"),
        ),
        Row(
            "p99 of a call over one hop beside such broadcasts at half the most",
            len(beside),
            detail,
            late / alone,
            "x",
            Aim("<=", 3.0, "x"),
        ),
    ]


@contextlib.contextmanager
def _broadcasting(client: Client, per_second: float) -> Iterator[None]:
    """Broadcast at an even rate during the block, however long each broadcast takes."""
    has_ended = threading.Event()

    def start(pool: ThreadPoolExecutor) -> list[Future[None]]:
        due_at, started = time.monotonic(), []
        while not has_ended.wait(max(0.0, due_at - time.monotonic())):
            started.append(pool.submit(client.broadcast))
            due_at += 1 / per_second
        return started

    with ThreadPoolExecutor() as pool:
        broadcasts = pool.submit(start, pool)
        try:
            yield
        finally:
            has_ended.set()
        for broadcast in broadcasts.result():
            broadcast.result()


@contextlib.contextmanager
def _tree() -> Iterator[Client]:
    """Run the managers during the block."""
    processes = [[TOP], *BRANCHES]
    paths = [path for process in processes for path in process]
    ends = [(path[:-1], path) for path in paths if path != TOP]
    with contextlib.ExitStack() as stack:
        files = CellFiles(paths)
        stack.callback(files.remove)
        links = DirectLinks(files.directory / "direct", list(map(str, paths)))
        stack.callback(links.close)
        for process in processes:
            configurations = []
            for path in process:
                rows = [links.row(one.last, is_parent=True) for one, child in ends if child == path]
                rows += [links.row(one.last, is_parent=False) for parent, one in ends if parent == path]
                files.write_database(path, rows)
                configurations.append(files.write_config(path, 1, links.options(path.last)))
            stack.enter_context(running("bench.managers", *map(str, configurations)))
        transport = connect(files.transport_url(TOP), files.directory)
        stack.callback(transport.cleanup)
        client = Client(CellsAPI(transport, timeout=TIMEOUT_SECONDS), len(paths))
        poll(client.is_formed, f"{client.cells} cells know each other", timeout_seconds=120, pause_seconds=0.5)
        durations(client.broadcast, WARM_UP)
        yield client

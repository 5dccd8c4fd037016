"""The sections of the report that SIGUSR2 asks for.  They have no URL, no password and no content of a message."""

from __future__ import annotations

from collections.abc import Iterator

from cells.health.progress import Progress
from cells.health.readiness import Readiness
from cells.links import Links
from cells.manager.local_cell import LocalCell
from cells.metrics.neighbor_collector import direct_queue
from cells.worker_threads import WorkerThreads

#: Calls that are listed, the oldest first.
MAX_CALLS = 50


def manager(cell: LocalCell, readiness: Readiness, progress: Progress) -> Iterator[str]:
    """Yield the identity and the health of the manager, and its counters."""
    yield ", ".join(f"{key} {value}" for key, value in cell.identity.items())
    yield f"path {cell.topology.own_path}, phase {readiness.phase.value}"
    for name, problem in readiness.problems().items():
        yield f"not ready: {name}: {problem}"
    for name, age in progress.ages().items():
        yield f"thread {name}: last turn {age:.1f} s ago"
    for name, count in sorted(cell.counters.as_dict().items()):
        yield f"{name} {count}"


def links(cell: LocalCell) -> Iterator[str]:
    """Yield one line for each neighbor."""
    for link in cell.links()["links"]:
        heard = cell.table.heard(link["neighbor"])
        kind = "parent" if link["is_parent"] else "child"
        text = f"{link['neighbor']} ({kind}): {link['state']}, speaks {link['spoken']}, reads {link['announced']}"
        if heard is not None:
            now = cell.table.now()
            since = heard.probe.since_seconds(now)
            text += f", unanswered probes {heard.probe.overdue(now)}, round trip {heard.probe.round_trip_seconds}"
            text += "" if since is None else f", for {since:.0f} s"
        yield text
        numbers = cell.losses.of(link["neighbor"])
        yield "  " + ", ".join(f"{key} {numbers[key]}" for key in ("lost", "may_have_arrived", "told", "in_flight"))


def queues(cell: LocalCell, links: Links) -> Iterator[str]:
    """Yield one line for each send queue, and for the queue of each direct link."""
    found = {
        row.name: (*direct_queue(status), float(status["oldest_seconds"]))
        for row in cell.table.snapshot().all().values()
        if row.is_direct and (status := cell.link_status(row)) is not None
    }
    for name, (count, size_bytes, age) in [*sorted(links.backlogs().items()), *sorted(found.items())]:
        yield f"{name}: {count} messages, {size_bytes} bytes, the oldest for {age:.1f} s"


def calls(cell: LocalCell, threads: WorkerThreads) -> Iterator[str]:
    """Yield the numbers of calls, and the oldest calls with the cells whose answers are missing."""
    running, waiting, limit = threads.usage()
    yield f"endpoints that may block: {running} run on at most {limit} threads, {waiting} wait"
    yield ", ".join(f"{count} of {origin}" for origin, count in cell.pending.by_origin().items())
    for message_id, age, missing in cell.pending.oldest(MAX_CALLS):
        yield f"{message_id}: for {age:.1f} s, waits for {', '.join(missing)}"

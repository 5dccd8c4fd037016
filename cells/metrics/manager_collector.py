"""Collector of the numbers about the manager itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import Metric

from cells.counters import Counters
from cells.metrics.families import Families
from cells.neighbors import Direction, NeighborTable, State
from cells.routing.pending import PendingCalls
from cells.worker_threads import WorkerThreads


@dataclass(kw_only=True, eq=False, repr=False)
class ManagerCollector:
    """Reads the state of a manager when its registry is asked."""

    #: as :func:`cells.manager.identity.describe` returns it
    identity: Mapping[str, Any]
    table: NeighborTable
    counters: Counters
    pending: PendingCalls
    threads: WorkerThreads
    is_ready: Callable[[], bool]

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; called by the registry."""
        found, identity, rows = Families(), self.identity, self.table.snapshot()
        names = (identity["release"], identity["version"], identity["name"], identity["host"])
        found.add("cells_build_info", *names, value=1)
        is_ready = self.is_ready()
        found.add("cells_ready", value=is_ready)
        found.add("cells_health", value=health(is_ready, [self.table.state(name) for name in rows.all()]))
        for direction in Direction:
            found.add("cells_neighbors", direction.value, value=len(rows.toward(direction)))
        for message_type, count in self.counters.received().items():
            found.add("cells_received_messages_total", message_type, value=count)
        for origin, count in self.pending.by_origin().items():
            found.add("cells_pending_calls", origin, value=count)
        found.add("cells_threads", value=threading.active_count())
        running, waiting, limit = self.threads.usage()
        found.add("cells_endpoint_calls", "running", value=running)
        found.add("cells_endpoint_calls", "waiting", value=waiting)
        found.add("cells_endpoint_threads_limit", value=limit)
        found.add_distribution("cells_relay_seconds", values=self.counters.send_seconds)
        found.add_distribution("cells_call_seconds", values=self.counters.call_seconds)
        found.add_distribution("cells_cast_messages", "in", values=self.counters.received_together)
        found.add_distribution("cells_cast_messages", "out", values=self.counters.sent_together)
        yield from found


def health(is_ready: bool, states: list[State]) -> float:
    """Return the one number about the health of a manager, from 0, broken, to 1, well.

    :param states: of all neighbors
    """
    if not is_ready:
        return 0.0
    known = [state for state in states if state is not State.UNKNOWN]
    return known.count(State.UP) / len(known) if known else 1.0

"""The parts through which operators and systemd observe a manager: metrics, health, watchdog and report."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import ProcessCollector

from cells.health import report
from cells.health.notifier import READY, STOPPING, Notifier
from cells.health.progress import Progress
from cells.health.readiness import Check, Readiness
from cells.health.watchdog import Watchdog
from cells.links import Links
from cells.manager import health_report
from cells.manager.consumer_proof import ConsumerProof
from cells.manager.local_cell import LocalCell
from cells.manager.receiving import Receiver
from cells.manager.server import ManagerServer
from cells.metrics.health_pages import AlivePage, ReadyPage
from cells.metrics.listener import Listener
from cells.metrics.manager_collector import ManagerCollector
from cells.metrics.neighbor_collector import NeighborCollector
from cells.metrics.pages import MetricsPage, Page, Pages
from cells.neighbors.path_memory import PathFile, PathStore
from cells.worker_threads import Runtime, WorkerThreads

#: Bound of the time for closing the connections of the checks: a broker may be frozen.
CLOSE_SECONDS = 1.0


@dataclass(kw_only=True, eq=False, repr=False)
class Observation:
    """All of them, for one manager.  No method blocks for longer than a few seconds."""

    #: [cells_metrics] listen
    addresses: Sequence[str]
    cell: LocalCell
    links: Links
    threads: WorkerThreads
    #: None: the manager does not serve the services of its cell
    server: ManagerServer | None
    receivers: Sequence[Receiver]
    #: of the known paths: the database, or a file
    store: PathStore
    runtime: Runtime

    def __post_init__(self) -> None:
        self.progress = Progress(self.runtime.clock)
        consumers = self._consumer_checks()
        self.readiness = Readiness({**self._database_check(), **consumers}, self.runtime)
        self.proof = ConsumerProof(consumers, self.runtime)
        pages: dict[str, Page] = {
            "/metrics": MetricsPage(self.cell.counters.registry),
            "/healthz": AlivePage(self.progress),
            "/readyz": ReadyPage(self.readiness),
        }
        self.listener = Listener(self.addresses, Pages(pages), self.runtime)
        self._notifier = Notifier({})
        self._watchdog: Watchdog | None = None

    def start(self) -> None:
        """Serve the pages: also a manager that waits for its broker has a health."""
        self.progress.watch("deadlines", lambda: self.cell.pending.looked_at)
        self.progress.watch("links", lambda: self.links.looked_at)
        self.progress.watch_all(self.links.drivers.looked_at)
        if self.addresses:
            for collector in self._collectors():
                self.cell.counters.registry.register(collector)
            ProcessCollector(registry=self.cell.counters.registry)
            self.listener.start()
        self._notifier = Notifier(os.environ)
        self._watchdog = Watchdog(self._notifier, self.progress, self.runtime)
        self._watchdog.start()

    def serving(self) -> None:
        """Note that the manager takes messages."""
        self.readiness.serve(is_watched=bool(self.addresses))
        self._notifier.send(READY)

    def stopping(self) -> None:
        """Note that the manager stops: its loops end.  May be called twice."""
        self.progress.forget()
        self.readiness.stop()
        self._notifier.send(STOPPING)

    def stop(self) -> None:
        """End everything.  May be called twice."""
        self.listener.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self.server is not None:
            self.runtime.spawn(self.server.loopback.close, "cells-close-loopback").join(CLOSE_SECONDS)

    def write_report(self) -> None:
        """Write the report about this manager to its log.  Blocks for a few seconds at most; never raises."""
        sections = {
            "Manager": functools.partial(health_report.manager, self.cell, self.readiness, self.progress),
            "Links": functools.partial(health_report.links, self.cell),
            "Queues": functools.partial(health_report.queues, self.cell, self.links),
            "Pending calls": functools.partial(health_report.calls, self.cell, self.threads),
        }
        report.write(sections)

    def _collectors(self) -> Iterable[ManagerCollector | NeighborCollector]:
        cell = self.cell
        yield ManagerCollector(
            identity=cell.identity,
            table=cell.table,
            counters=cell.counters,
            pending=cell.pending,
            threads=self.threads,
            is_ready=lambda: self.readiness.is_ready,
        )
        yield NeighborCollector(
            cell_name=cell.name,
            table=cell.table,
            link_versions=cell.link_versions,
            links=self.links,
            losses=cell.losses,
            link_status=cell.link_status,
            wall_clock=self.runtime.wall_clock,
        )

    def _database_check(self) -> Mapping[str, Check]:
        store = self.store
        return {} if isinstance(store, PathFile) else {"database": lambda _: store.known_paths()}

    def _consumer_checks(self) -> Mapping[str, Check]:
        checks: dict[str, Check] = {}
        if self.server is not None:
            checks["requests of services"] = self.server.loopback.check
        for receiver in self.receivers:
            checks[f"messages of neighbors ({receiver.name}, {receiver.option})"] = receiver.driver.check_consumers
        return checks

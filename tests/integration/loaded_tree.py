"""A tree of managers under the load of the drills: calls, casts, broadcasts and services, each message looked up."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from drills import endpoints, ledger, promises, records
from drills.catalog import Drill
from drills.evidence import Evidence, Window
from drills.faults import nothing
from drills.kinds import NORMAL_RATES, SOURCES
from drills.ledger import Counts
from drills.load_client import LoadClients
from drills.operation import Operation
from drills.script import Script
from drills.service import TOPIC
from drills.tree import SERVING
from tests.integration.processes import Tree, merged
from tests.integration.rabbitmq import VirtualHostPool
from tools import endpoint_package
from tools.direct_links import DirectLinks
from tools.manager_process import ManagerProcess
from tools.polling import poll

#: The cells between which the load of the drills runs.
SHAPE = {"api": {"east": {"az1": {}, "az2": {}}, "west": {}}}
#: After so long, a message that is neither executed nor counted is lost in silence.
SETTLE_SECONDS = 30.0
#: Broken promises that a failed test shows.
SHOWN = 20
#: Load before a test begins, and after its end.
MARGIN_SECONDS = 1.0


class LoadedTree:
    """Running tree with direct links or links over RabbitMQ, and the services of two cells.

    :param arguments: of :class:`Tree`, but for its shape
    """

    def __init__(self, place: Path, pool: VirtualHostPool, **arguments: Any) -> None:
        self._place = place
        self.records = place / "records"
        options = merged({"cells": {"allowed_services": TOPIC}}, arguments.pop("options", {}))
        self.env = {
            **endpoint_package.install(place / "endpoints", endpoints.__file__, "drills"),
            endpoints.RECORDS: str(self.records),
        }
        self.tree = Tree(place, SHAPE, pool.take, options=options, env=self.env, **arguments)
        #: all managers that run
        self.managers = list(self.tree)
        self._services: list[Script] = []
        self._seeds = itertools.count(1)

    def __getitem__(self, name: str) -> ManagerProcess:
        return self.tree[name]

    @property
    def direct(self) -> DirectLinks:
        """The certificates and addresses of a tree with direct links."""
        assert self.tree.direct is not None
        return self.tree.direct

    @contextlib.contextmanager
    def started(self) -> Iterator[LoadedTree]:
        """Run the tree during the ``with`` block."""
        try:
            self.tree.start()
            self._services = [self._start_service(cell) for cell in SERVING]
            for service in self._services:
                service.wait_ready()
            yield self
        finally:
            for service in self._services:
                service.kill9()
            self.tree.stop()

    def _start_service(self, cell: str) -> Script:
        return Script(
            "drills.service",
            str(self[cell].config_file),
            cell,
            log_file=self._place / f"service-{cell}.log",
            env={endpoints.RECORDS: str(self.records)},
        )

    @contextlib.contextmanager
    def second(self, name: str, seen_by: str) -> Iterator[ManagerProcess]:
        """Run a second manager of a cell during the block, from when the cell ``seen_by`` is connected with it."""
        manager = self.tree.make_second(name)
        manager.start(self.env).wait_ready()
        self.managers.append(manager)
        try:
            poll(lambda: manager.host in self.connected(seen_by, name), f"{seen_by} is connected with both managers")
            yield manager
        finally:
            self.managers.remove(manager)
            manager.stop()

    def connected(self, name: str, neighbor: str) -> set[str]:
        """Return the managers of a neighbor that the manager of a cell is connected with."""
        rows = self[name].cells("neighbor", "status", "-f", "json").json()
        return {one["host"] for row in rows if row["name"] == neighbor for one in row["link"]["managers"]}

    def restart(self, name: str) -> None:
        """Start a manager again that has ended."""
        self[name].start(self.env).wait_ready()

    @contextlib.contextmanager
    def load(self, *, loses_nothing: bool = False, fails_nothing: bool = False) -> Iterator[None]:
        """Send about 38 messages per second during the block; then no message is lost in silence, or runs twice.

        :param loses_nothing: whether every accepted message must run
        :param fails_nothing: whether every message must succeed at its sender
        """
        seed = next(self._seeds)
        place = self._place / f"load-{seed}"
        place.mkdir()
        before, logged_before = ledger.read(self.managers), self._logged()
        with LoadClients(place, {cell: self[cell].config_file for cell in SOURCES}, NORMAL_RATES, seed) as load:
            load.start()
            began_at = time.monotonic()
            _pause()
            yield
            _pause()
            operations = load.finish()
        window = Window(began_at, time.monotonic())
        drill = Drill("test", "test", nothing(), loses_nothing=loses_nothing)

        def is_settled() -> bool:
            evidence = self._evidence(operations, before, logged_before, window)
            return not evidence.counted.in_flight and not promises.silent_losses(drill, evidence)

        # The promises below tell more.
        with contextlib.suppress(TimeoutError):
            poll(is_settled, "each message has run or is counted", SETTLE_SECONDS, pause_seconds=0.5)
        evidence = self._evidence(operations, before, logged_before, window)
        broken = promises.broken_deliveries(drill, evidence)
        if fails_nothing:
            failures = [(one.number, one.failure) for one in operations]
            failures += [
                (f"{one.number} {answer.cell}", answer.failure) for one in operations for answer in one.answers()
            ]
            broken += [f"{number} failed: {failure}" for number, failure in failures if failure is not None]
        assert operations
        assert not broken, "\n".join([f"{len(broken)} broken promises:", *broken[:SHOWN]])

    def _evidence(
        self, operations: Sequence[Operation], before: Mapping[str, Counts], logged_before: int, window: Window
    ) -> Evidence:
        now = ledger.read(self.managers)
        counted = sum((now[host] - before[host] for host in now), Counts())
        sent = {one.number for one in operations}
        # The file has the messages of all loads.
        runs = Counter({run: count for run, count in records.read(self.records).items() if run[0] in sent})
        return Evidence(operations, runs, counted, self._logged() - logged_before, window)

    def _logged(self) -> int:
        return sum(ledger.logged(manager.log()) for manager in self.managers)


def _pause() -> None:
    time.sleep(MARGIN_SECONDS)

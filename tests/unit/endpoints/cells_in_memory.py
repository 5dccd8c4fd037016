"""A real cell with its real parts, whose neighbors are boxes that keep what they are sent."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from cells import scheduler
from cells.counters import Counters
from cells.drivers.base import DriverSettings
from cells.drivers.memory import MemoryDriver
from cells.drivers.registry import Drivers
from cells.endpoints import Call, Endpoints
from cells.links import LinkLimits, Links
from cells.manager.local_cell import Cell
from cells.manager.picker import Picker
from cells.messages import MESSAGE_TYPES
from cells.neighbors import NeighborTable
from cells.neighbors.capabilities import Reports
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.routing.executor import Execution
from cells.routing.pending import PendingCalls
from cells.routing.receipts import Receipts
from cells.routing.router import Limits, Router
from cells.services.allow_list import AllowedServices
from cells.services.local import LocalServices
from cells.worker_threads import WorkerThreads

PATIENCE = 10.0


class CellInMemory:
    """A context manager: everything that it starts ends with it."""

    def __init__(
        self,
        name: str,
        *,
        parents: Sequence[str] = (),
        children: Sequence[str] = (),
        capabilities: Mapping[str, list[str]] | None = None,
    ) -> None:
        self._bus = uuid.uuid4().hex
        self._boxes: dict[str, queue.SimpleQueue[Any]] = {}
        self._listening = [self._listen(neighbor) for neighbor in (*parents, *children)]
        self.counters = Counters()
        self.table = NeighborTable(300.0)
        self.table.replace(
            [
                *(Neighbor(parent, self._url(parent), True, "memory") for parent in parents),
                *(Neighbor(child, self._url(child), False, "memory") for child in children),
            ]
        )
        self.pending = PendingCalls(100, self.counters)
        self.endpoints = Endpoints.load()
        self._links = Links(
            Drivers(self._settings(name)), self.counters, lambda _name, _is_reachable: None, LinkLimits()
        )
        link_versions = LinkVersions(self.table, None)
        execution = Execution(self.endpoints, WorkerThreads(4, 100, "cells-endpoint"), self.counters)
        self.router = Router(
            cell_name=name,
            host="h1",
            table=self.table,
            link_versions=link_versions,
            execution=execution,
            pending=self.pending,
            links=self._links,
            receipts=Receipts(),
            counters=self.counters,
            limits=Limits(),
        )
        topology, reports = Topology(name, self.table), Reports(300.0)
        services = LocalServices(
            cell_name=name, transport=None, allowed=AllowedServices([], "openstack"), max_threads=4, max_waiting=100
        )
        picker = Picker(
            cell_name=name,
            table=self.table,
            topology=topology,
            own_capabilities=dict(capabilities or {}),
            reports=reports,
            router=self.router,
            services=services,
            scheduler=scheduler.load([], [], {}),
            counters=self.counters,
            max_hop_count=10,
        )
        self.cell = Cell(
            identity={"name": name, "host": "h1", "version": "1.0"},
            capabilities=dict(capabilities or {}),
            reports=reports,
            services=services,
            picker=picker,
            table=self.table,
            link_versions=link_versions,
            topology=topology,
            router=self.router,
            pending=self.pending,
            counters=self.counters,
            max_hop_count=10,
        )
        execution.bind(self.cell)

    def __enter__(self) -> CellInMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self._links.stop(PATIENCE)
        self.pending.stop()
        for driver in self._listening:
            driver.stop_servers()

    def _url(self, name: str) -> str:
        return f"memory://{self._bus}/{name}"

    def _settings(self, name: str) -> DriverSettings:
        return DriverSettings(cfg.ConfigOpts(), name, self._url(name), MESSAGE_TYPES)

    def _listen(self, name: str) -> MemoryDriver:
        driver = MemoryDriver(self._settings(name))
        box: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._boxes[name] = box
        driver.start_servers(box.put)
        return driver

    def next_text(self, neighbor: str) -> Any:
        """The next message that the neighbor gets."""
        return json.loads(self._boxes[neighbor].get(timeout=PATIENCE))

    def next_cast(self, neighbor: str) -> Any:
        """The next cast of many that the neighbor gets, a list of objects."""
        return self._boxes[neighbor].get(timeout=PATIENCE)

    def next_methods(self, neighbor: str, count: int) -> list[str]:
        """The methods of the next messages that the neighbor gets, sorted: its threads take them in no order."""
        return sorted(self.next_text(neighbor)["method_name"] for _ in range(count))

    def call(
        self,
        method: str,
        route: str,
        *,
        message_type: str = "targeted",
        response_to: str | None = None,
        **arguments: Any,
    ) -> Any:
        """Invoke an endpoint as a message that walked ``route`` would."""
        return self.endpoints.invoke(
            Call(
                cell=self.cell,
                method=method,
                arguments=arguments,
                message_type=message_type,
                route=CellPath.parse(route),
                response_to=response_to,
                context_values={},
            )
        )

"""A real manager without its brokers and database: its neighbors are boxes that keep the messages for them."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from cells import conf as cells_conf
from cells import service
from cells.drivers.base import DriverSettings
from cells.drivers.memory import MemoryDriver
from cells.endpoints import Call, Endpoints
from cells.messages import MESSAGE_TYPES
from cells.neighbors import Neighbor
from cells.path import CellPath
from cells.transport.opening import register_options
from cells.worker_threads import Runtime

TIMEOUT_SECONDS = 10.0


class CellInMemory:
    """A manager that was built and not started.  A context manager: everything that it starts ends with it."""

    def __init__(
        self,
        name: str,
        *,
        parents: Sequence[str] = (),
        children: Sequence[str] = (),
        capabilities: Mapping[str, list[str]] | None = None,
        runtime: Runtime | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """:param options: further options of the group [cells]"""
        self._bus = uuid.uuid4().hex
        self._boxes: dict[str, queue.SimpleQueue[Any]] = {}
        self._listening = [self._listen(neighbor) for neighbor in (*parents, *children)]
        conf = cells_conf.load([])
        register_options(conf)
        conf.set_override("host", "h1")
        conf.set_override("transport_url", self.url(name))
        own = [f"{key}={';'.join(values)}" for key, values in (capabilities or {}).items()]
        values = {"name": name, "driver": "memory", "capabilities": own, **(options or {})}
        for option, value in values.items():
            conf.set_override(option, value, "cells")
        self.endpoints = Endpoints.load()
        self.service = service.build(conf, endpoints=self.endpoints, serves_local_cell=False, runtime=runtime)
        self.cell, self.table, self.counters = self.service.cell, self.service.table, self.service.counters
        self.router, self.pending = self.service.router, self.service.pending
        rows = [Neighbor(parent, self.url(parent), is_parent=True, driver="memory") for parent in parents]
        rows += [Neighbor(child, self.url(child), is_parent=False, driver="memory") for child in children]
        self.table.replace(rows)
        # Children exist that have not been heard from: none is sent the new path.
        self.service.announcer.announce_move()

    def __enter__(self) -> CellInMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.pending.stop()  # or the service would wait for the calls of the test
        self.service.stop()
        for driver in self._listening:
            driver.stop_servers()

    def url(self, name: str) -> str:
        return f"memory://{self._bus}/{name}"

    def _listen(self, name: str) -> MemoryDriver:
        driver = MemoryDriver(DriverSettings(cfg.ConfigOpts(), name, self.url(name), MESSAGE_TYPES))
        box: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._boxes[name] = box
        driver.start_servers(box.put)
        return driver

    def next_text(self, neighbor: str) -> Any:
        """The next message that the neighbor gets."""
        return json.loads(self._boxes[neighbor].get(timeout=TIMEOUT_SECONDS))

    def next_cast(self, neighbor: str) -> Any:
        """The next cast of many that the neighbor gets, a list of objects."""
        return self._boxes[neighbor].get(timeout=TIMEOUT_SECONDS)

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
        call = Call(self.cell, method, arguments, message_type, CellPath.parse(route), response_to, {})
        return self.endpoints.invoke(call)

"""A registry in memory with simulated outages."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from oslo_config import cfg

from cells import exceptions
from cells.brokerless.matchmaker import HeartbeatMatchMakerBase
from tests.unit.brokerless.matchmaker.suite import Registry, configuration


class MatchMakerMemory(HeartbeatMatchMakerBase):
    """A back end with only the required methods and ``backend_hosts``."""

    def __init__(self, conf: cfg.ConfigOpts, registry: MemoryRegistry) -> None:
        super().__init__(conf)
        self.registry = registry

    def backend_register(self, key: str, host: str) -> None:
        with self.registry.used("register"):
            self.registry.heartbeats[key, host] = time.monotonic()

    def backend_unregister(self, key: str, host: str) -> None:
        with self.registry.used("unregister"):
            self.registry.heartbeats.pop((key, host), None)

    def backend_hosts(self, keys: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        with self.registry.used("hosts"):
            now = time.monotonic()
            return {
                key: {host: now - at for (of, host), at in self.registry.heartbeats.items() if of == key}
                for key in keys
            }


class MemoryRegistry(Registry):
    def __init__(self) -> None:
        super().__init__("memory", "")
        self.heartbeats: dict[tuple[str, str], float] = {}
        self.problem: Exception | None = None
        self.uses: list[str] = []
        self.gate: threading.Event | None = None  #: if set, every access waits for it

    def used(self, method: str) -> MemoryRegistry:
        self.uses.append(method)
        if self.gate is not None:
            self.gate.wait(10)
        if self.problem is not None:
            raise self.problem
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def make(self, **options: Any) -> MatchMakerMemory:
        maker = MatchMakerMemory(configuration(**options), self)
        self.made.append(maker)
        return maker

    def entries(self) -> set[tuple[str, str]]:
        return set(self.heartbeats)

    def age(self, key: str, host: str, seconds: float) -> None:
        self.heartbeats[key, host] -= seconds

    def clear(self) -> None:
        self.heartbeats.clear()


OUTAGE = exceptions.DatabaseUnavailable("The database cannot be used: no route.")

"""A case whose broker, manager and neighbors' brokers are fakes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cells import conf as cells_conf
from cells import preflight
from cells.doctor import Case
from cells.neighbors.neighbor import Neighbor
from cells.rpcapi import CellAnswer
from cells.transport.broker_probe import QueueCounts
from cells.transport.configured_queues import ConfiguredQueue

OPTION = "[DEFAULT] transport_url"
EAST = Neighbor("east", "rabbit://u:p@east/v", is_parent=False)


@dataclass
class FakeProbe:
    """A broker as a test describes it; every queue that is not named has one consumer."""

    queues: Mapping[str, QueueCounts | None] = field(default_factory=dict)
    refusals: Mapping[str, Exception] = field(default_factory=dict)
    exchanges: Sequence[str] = ("openstack",)
    unreadable: Sequence[str] = ()
    is_writable: bool = True
    is_creating: bool = True
    is_declaring: bool = True
    blocked: str = ""

    def queue(self, name: str) -> QueueCounts | None:
        return self.queues.get(name, None if name.count(".") > 2 else QueueCounts(0, 1))

    def has_exchange(self, name: str) -> bool:
        return name in self.exchanges

    def refusal_of(self, queue: ConfiguredQueue) -> Exception | None:
        return self.refusals.get(queue.name)

    def may_read(self, queue: str) -> bool:
        return queue not in self.unreadable

    def may_write(self, exchange: str, topic: str) -> bool:
        return self.is_writable

    def may_declare(self, exchange: str, *, durable: bool, auto_delete: bool) -> bool:
        return self.is_declaring

    def may_create(self, prefix: str) -> bool:
        return self.is_creating


class FakeManager:
    """A client of the manager: answers as a test sets them; an error in their place is raised."""

    def __init__(self, **answers: Any) -> None:
        """:param answers: of ``status``, ``neighbors``, ``topology``; ``consumers``; of cells to ``down``, ``up`` and
        ``doctor``"""
        self.answers = {"status": {"name": "api", "path": "api", "host": "h", "pid": 1}, "neighbors": [], **answers}

    def _answer(self, name: str, default: Any = None) -> Any:
        answer = self.answers.get(name, default)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def status(self, ctxt: Any) -> Any:
        answer = self._answer("status")
        if isinstance(answer, list):
            found = answer.pop(0)
            if isinstance(found, Exception):
                raise found
            return found
        return answer

    def neighbors(self, ctxt: Any) -> Any:
        return self._answer("neighbors")

    def check_consumers(self, ctxt: Any, *, timeout: float, server: str) -> dict[str, str]:
        return dict(self._answer("consumers", {}))

    def topology(self, ctxt: Any, *, timeout: float | None = None) -> Any:
        return self._answer("topology", {})

    def broadcast_call(self, ctxt: Any, method: str, **options: Any) -> list[CellAnswer]:
        return list(self._answer(method if method != "ping" else options["direction"], []))


class FakeCase(Case):
    """The case of cell api."""

    probe: Any = None
    neighbor_probes: Mapping[str, Any] = {}

    @contextlib.contextmanager
    def broker(self, option: str = OPTION) -> Iterator[tuple[Any, Any]]:
        if isinstance(self.probe, Exception):
            raise self.probe
        with open_transport(self) as transport:
            yield transport, self.probe

    @contextlib.contextmanager
    def broker_of(self, row: Neighbor) -> Iterator[Any]:
        found = self.neighbor_probes[row.name]
        if isinstance(found, Exception):
            raise found
        yield found


@contextlib.contextmanager
def open_transport(case: Case) -> Iterator[Any]:
    from cells.transport.opening import open_transport

    transport = open_transport(case.conf)
    try:
        yield transport
    finally:
        transport.cleanup()


def make_case(
    manager: FakeManager | Exception | None = None,
    probe: Any = None,
    *,
    files: Sequence[Path] = (),
    neighbor_probes: Mapping[str, Any] | None = None,
    rows: Sequence[Neighbor] = (),
    is_tree: bool = False,
    timeout_seconds: float = 10.0,
) -> FakeCase:
    conf = cells_conf.load(files)
    preflight.check_values(conf)
    if not files:
        conf.set_override("transport_url", "rabbit://u:p@h/v")
        conf.set_override("host", "h")
        conf.set_override("name", "api", "cells")

    @contextlib.contextmanager
    def open_manager() -> Iterator[Any]:
        if isinstance(manager, Exception):
            raise manager
        yield manager or FakeManager()

    case = FakeCase(conf, timeout_seconds, open_manager, is_tree=is_tree, rows=rows, wall_clock=lambda: 1_000_000.0)
    case.probe = probe or FakeProbe()
    case.neighbor_probes = neighbor_probes or {}
    return case


def names(findings: Any) -> list[str]:
    return [finding.name for finding in findings]

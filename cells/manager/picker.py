"""Picker: runs a call or cast of a service in the best cell at or below this one that fulfills the requirements.

Each hop decides for itself: this cell ranks itself and its children only, and the child
that it picks decides in turn.  If the picked cell refuses and nothing has run there, the
next best cell is tried.  No thread waits: each attempt starts where the answer to the one
before it arrives.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.failure import lacks_method
from cells.futures import then
from cells.limited_log import LimitedLog
from cells.manager.failover import Failover
from cells.manager.message_factory import OutgoingMessages
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.resources import Resources
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.routing.reply import Reply
from cells.routing.router import Router
from cells.routing.waiting_call import Monitor
from cells.scheduler import Candidate, CellRequirements, Ranking, Scheduler
from cells.services import answers
from cells.services.answers import Answer
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest
from cells.worker_threads import Clock

LOG = logging.getLogger(__name__)

#: Kind of request -> the endpoint of a child that takes it.
ENDPOINTS = {"call": "service_call_any", "cast": "service_cast_any"}


@dataclass(frozen=True)
class _Task:
    """A call or cast that needs a cell."""

    kind: str
    requirements: CellRequirements
    request: ServiceRequest
    context: Mapping[str, Any]
    neighbor: str
    still_working: Callable[[], object] | None

    @property
    def monitor(self) -> Monitor | None:
        """The monitor of the call in another cell; None if the request does not ask for one."""
        seconds = self.request.monitor_seconds
        return None if self.kind == "cast" or seconds is None else Monitor(seconds, self.still_working)


@dataclass(kw_only=True, eq=False, repr=False)
class Picker:
    """Runs calls and casts in the best cell.  Thread-safe."""

    table: NeighborTable
    topology: Topology
    resources: Resources
    router: Router
    outgoing: OutgoingMessages
    services: LocalServices
    scheduler: Scheduler
    counters: Counters
    clock: Clock = time.monotonic

    def __post_init__(self) -> None:
        self._log = LimitedLog(LOG, self.clock)

    def run(  # noqa: PLR0913  # all but three by keyword
        self,
        kind: str,
        requirements: CellRequirements,
        request: ServiceRequest,
        *,
        context: Mapping[str, Any],
        timeout_seconds: float,
        neighbor: str,
        still_working: Callable[[], object] | None = None,
    ) -> futures.Future[Answer]:
        """Call or cast a method of a service in the best cell.  It runs at most once.

        :param kind: ``"call"`` or ``"cast"``
        :param neighbor: sent the request, so that this cell must allow the method; empty: a service of this cell
        :param still_working: called from time to time while the method of a monitored call runs; must not block
        :returns: a future of the answer.  A call is answered with ``{"result": value}``, or ``{"failure": text}`` if
            the service raised an error; a cast with ``{"result": None}`` once the broker of the picked cell has it.
            The error of the future is NoCellsAvailable if no cell fulfills the requirements and could be reached, or
            the error of a cell where the method may have run
        """
        task = _Task(kind, requirements, request, context, neighbor, still_working)
        return Failover(
            self._rank(requirements),
            attempt=partial(self._attempt, task),
            timeout_seconds=timeout_seconds,
            description=f"{request} at or below cell {self.topology.own_path}",
            counters=self.counters,
            log=self._log,
            clock=self.clock,
        ).start()

    def _rank(self, requirements: CellRequirements) -> Ranking:
        candidates, rejected = [self._here()], {}
        is_too_far = len(requirements.walked) + 1 >= self.outgoing.max_hop_count
        for child in self._children():
            if is_too_far:
                rejected[str(child.path)] = "it is further away than [cells] max_hop_count"
            elif self.table.has_no_ping(child.name):
                rejected[str(child.path)] = "it is a cell of Nova, which runs no methods of services"
            elif child.name in requirements.walked:
                rejected[str(child.path)] = "it has forwarded this request itself: cells are registered in a circle"
            else:
                candidates.append(child)
        ranking = self.scheduler.rank(candidates, requirements)
        return Ranking(ranking.chosen, {**ranking.rejected, **rejected})

    def _here(self) -> Candidate:
        path, *other_paths = self.topology.own_paths()
        return Candidate(
            name=self.topology.cell_name,
            path=path,
            other_paths=tuple(other_paths),
            is_self=True,
            capabilities=self.resources.own_capabilities,
            capacities=self.resources.own_capacities(),
        )

    def _children(self) -> list[Candidate]:
        own_paths, subtree = self.topology.own_paths(), self.topology.subtree()
        children = self.table.snapshot().children
        return [self._child(row, own_paths, subtree.get(name, {})) for name, row in sorted(children.items())]

    def _child(self, row: Neighbor, own_paths: Sequence[CellPath], subtree: Mapping[str, Any]) -> Candidate:
        path, *other_paths = [own_path.child(row.name) for own_path in own_paths]
        heard = self.table.heard(row.name)
        return Candidate(
            name=row.name,
            path=path,
            other_paths=tuple(other_paths),
            capabilities=heard.capabilities if heard else {},
            capacities=heard.capacities if heard else {},
            state=self.table.state(row.name),
            weight_offset=row.weight_offset,
            weight_scale=row.weight_scale,
            subtree=subtree,
        )

    def _attempt(self, task: _Task, candidate: Candidate, seconds: float) -> futures.Future[Answer]:
        if candidate.is_self:
            return self._run_here(task, seconds)
        message = self.outgoing.to_neighbor(
            candidate.name,
            Direction.DOWN,
            ENDPOINTS[task.kind],
            {
                "requirements": task.requirements.passed_on_by(self.topology.cell_name).to_dict(),
                "request": task.request.to_dict(),
                "time_left": seconds,
            },
            context=task.context,
            needs_response=True,
        )
        sent = self.router.send(message, seconds, is_budgeted=bool(task.neighbor), monitor=task.monitor)
        return then(sent, partial(_answer, message.method))

    def _run_here(self, task: _Task, seconds: float) -> futures.Future[Answer]:
        if task.kind == "cast":
            sent = self.services.cast(task.request, task.context, neighbor=task.neighbor)
            return then(sent, lambda _: {answers.RESULT: None})
        return self.services.call(
            task.request, task.context, seconds, neighbor=task.neighbor, still_working=task.still_working
        )


def _answer(method: str, reply: Reply) -> Answer:
    response = reply.read_one(("cells.exceptions",))
    if response.error is not None:
        if lacks_method(response.error, method):
            # Of a cell of Nova: nothing has run there, so another cell may be tried.
            raise exceptions.UnknownMethod(
                f"Cell {response.cell} has no method {method}.", cell=response.cell, method=method
            ) from response.error
        raise response.error
    return answers.check(response.value)

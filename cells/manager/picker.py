"""Picker: calls a service in a cell that is as required, wherever at or below this cell that is.

Decided hop by hop: this cell looks at itself and its children alone, and the child that it
picks decides in turn.  What that one cannot take goes to the next best, as long as nothing
has run.  No thread waits: what comes next is done where an answer comes in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

from cells.counters import Counters
from cells.futures import then
from cells.manager.failover import Trials
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction, NeighborTable, capabilities
from cells.neighbors.capabilities import Capabilities, Reports
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.routing.pending import Monitor
from cells.routing.router import Router
from cells.scheduler import Candidate, CellRequirements, Ranking, Scheduler
from cells.services import answers
from cells.services.answers import Answer
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest


@dataclass(frozen=True)
class _Errand:
    """One call or cast that a cell is wanted for."""

    #: the endpoint that children have for it
    method: str
    requirements: CellRequirements
    request: ServiceRequest
    context: Mapping[str, Any]
    timeout_seconds: float
    #: does it in this cell, in so many seconds
    run_here: Callable[[float], futures.Future[Answer]]
    monitor: Monitor | None = None


class Picker:
    """Picks cells, and carries out calls and casts there.  Thread-safe."""

    def __init__(  # noqa: PLR0913  # the parts that the composition root wires together, by keyword
        self,
        *,
        cell_name: str,
        table: NeighborTable,
        topology: Topology,
        own_capabilities: Capabilities,
        reports: Reports,
        router: Router,
        services: LocalServices,
        scheduler: Scheduler,
        counters: Counters,
        max_hop_count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cell_name = cell_name
        self._table = table
        self._topology = topology
        self._own_capabilities = own_capabilities
        self._reports = reports
        self._router = router
        self._services = services
        self._scheduler = scheduler
        self._counters = counters
        self._max_hop_count = max_hop_count
        self._clock = clock

    def call(  # noqa: PLR0913  # what is asked, for whom, and for how long
        self,
        requirements: CellRequirements,
        request: ServiceRequest,
        context: Mapping[str, Any],
        timeout_seconds: float,
        *,
        is_foreign: bool,
        still_working: Callable[[], object] | None = None,
    ) -> futures.Future[Answer]:
        """Call a method of a service in the best cell; it runs at most once.

        :param is_foreign: another cell asks, so this one has to allow it
        :param still_working: called from time to time while it runs, if the request is monitored; must not block
        :returns: a future of the answer: ``{"result": value}``, or ``{"failure": text}`` if the service raised.
            Its error is NoCellsAvailable if no cell fulfils the requirements and could be reached, or whatever
            went wrong in a cell where the method may have run
        """
        monitor = None if request.monitor_seconds is None else Monitor(request.monitor_seconds, still_working)

        def run_here(seconds: float) -> futures.Future[Answer]:
            return self._services.call(request, context, seconds, is_foreign=is_foreign, still_working=still_working)

        return self._start(
            _Errand("service_call_any", requirements, request, context, timeout_seconds, run_here, monitor)
        )

    def cast(
        self,
        requirements: CellRequirements,
        request: ServiceRequest,
        context: Mapping[str, Any],
        timeout_seconds: float,
        *,
        is_foreign: bool,
    ) -> futures.Future[Answer]:
        """Cast a method of a service in the best cell.

        :returns: a future of ``{"result": None}`` once the broker of the cell that was picked has it; its errors
            are those of :meth:`call`
        """

        def run_here(_seconds: float) -> futures.Future[Answer]:
            return then(self._services.cast(request, context, is_foreign=is_foreign), _taken)

        return self._start(_Errand("service_cast_any", requirements, request, context, timeout_seconds, run_here))

    def _start(self, errand: _Errand) -> futures.Future[Answer]:
        return Trials(
            self._rank(errand.requirements),
            attempt=partial(self._attempt, errand),
            timeout_seconds=errand.timeout_seconds,
            what=f"{errand.request} at or below cell {self._topology.own_path}",
            counters=self._counters,
            clock=self._clock,
        ).start()

    def _rank(self, requirements: CellRequirements) -> Ranking:
        candidates, rejected = [self._here()], {}
        is_too_far = len(requirements.walked) + 1 >= self._max_hop_count
        for child in self._children():
            if is_too_far:
                rejected[str(child.path)] = "it is further away than [cells] max_hop_count"
            elif child.name in requirements.walked:
                rejected[str(child.path)] = "it has passed this on itself: cells are registered in a circle"
            else:
                candidates.append(child)
        ranking = self._scheduler.rank(candidates, requirements)
        return Ranking(ranking.chosen, {**ranking.rejected, **rejected})

    def _here(self) -> Candidate:
        path, *other_paths = self._topology.own_paths()
        return Candidate(
            name=self._cell_name,
            path=path,
            other_paths=tuple(other_paths),
            is_self=True,
            capabilities=self._own_capabilities,
            capacities=capabilities.total(self._reports.current()),
        )

    def _children(self) -> list[Candidate]:
        own_paths, subtree = self._topology.own_paths(), self._topology.subtree()
        children = self._table.snapshot().children
        return [self._child(row, own_paths, subtree.get(name, {})) for name, row in sorted(children.items())]

    def _child(self, row: Neighbor, own_paths: Sequence[CellPath], subtree: Mapping[str, Any]) -> Candidate:
        path, *other_paths = [own_path.child(row.name) for own_path in own_paths]
        heard = self._table.heard(row.name)
        return Candidate(
            name=row.name,
            path=path,
            other_paths=tuple(other_paths),
            capabilities=heard.capabilities if heard else {},
            capacities=heard.capacities if heard else {},
            state=self._table.state(row.name),
            weight_offset=row.weight_offset,
            weight_scale=row.weight_scale,
            subtree=subtree,
        )

    def _attempt(self, errand: _Errand, candidate: Candidate, seconds: float) -> futures.Future[Answer]:
        if candidate.is_self:
            return errand.run_here(seconds)
        here = CellPath([self._cell_name])
        message = TargetedMessage(
            method=errand.method,
            kwargs={
                "requirements": errand.requirements.passed_on_by(self._cell_name).to_dict(),
                "request": errand.request.to_dict(),
                "time_left": seconds,
            },
            context=errand.context,
            route=here,
            target=here.child(candidate.name),
            direction=Direction.DOWN,
            needs_response=True,
            max_hop_count=self._max_hop_count,
        )
        return then(self._router.send(message, seconds, monitor=errand.monitor), _answer)


def _answer(texts: Sequence[str]) -> Answer:
    response = Response.read_one(texts, ("cells.exceptions",))
    if response.error is not None:
        raise response.error
    return answers.check(response.value)


def _taken(_nothing: None) -> Answer:
    return {answers.RESULT: None}

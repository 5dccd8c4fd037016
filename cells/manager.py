"""CellsManager: what the services of this cell may ask of their manager.

One instance per manager serves the RPC topic ``[cells] topic``; its client is
:class:`cells.rpcapi.CellsAPI`.  A method that needs an answer of another cell
returns a future and holds no thread while it waits.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any, TypeVar

import oslo_messaging

from cells import exceptions, topology_report, transport_url
from cells.cell import Cell
from cells.counters import Counters
from cells.messages import BroadcastMessage, Response, TargetedMessage
from cells.neighbors import Direction, NeighborTable
from cells.path import CellPath
from cells.pending import PendingCalls
from cells.router import Router
from cells.topology import Topology

LOG = logging.getLogger(__name__)

T = TypeVar("T")
Source = TypeVar("Source")


class CellsManager:
    """The RPC endpoint for services of the local cell, version 1.0.

    ``ctxt`` is everywhere the request context as a dict; ``kwargs`` are JSON values.
    """

    target = oslo_messaging.Target(version="1.0")

    def __init__(  # noqa: PLR0913  # the parts that the composition root wires together, by keyword
        self,
        *,
        cell: Cell,
        router: Router,
        topology: Topology,
        table: NeighborTable,
        pending: PendingCalls,
        counters: Counters,
        exception_modules: Sequence[str],
        call_timeout_seconds: float,
        max_hop_count: int,
    ) -> None:
        self._cell = cell
        self._router = router
        self._topology = topology
        self._table = table
        self._pending = pending
        self._counters = counters
        self._exception_modules = tuple(exception_modules)
        self._call_timeout_seconds = call_timeout_seconds
        self._max_hop_count = max_hop_count

    def call(
        self,
        ctxt: dict[str, Any],
        cell_name: str,
        method_name: str,
        method_kwargs: dict[str, Any],
        timeout: float | None = None,
    ) -> futures.Future[Any]:
        """Call ``method_name`` in another cell.

        :param timeout: seconds to wait for the answer; by default [cells] call_timeout
        :returns: a future of what the endpoint returned, or of the error that it raised
        :raises cells.exceptions.RoutingError: no way to that cell is known
        """
        with self._noting_refusals("call"):
            message = self._targeted(ctxt, cell_name, method_name, method_kwargs, needs_response=True)
        return _then(self._router.send(message, self._timeout(timeout)), self._value)

    def cast(self, ctxt: dict[str, Any], cell_name: str, method_name: str, method_kwargs: dict[str, Any]) -> None:
        """Call ``method_name`` in another cell, without an answer."""
        with self._noting_refusals("cast"):
            self._router.cast(self._targeted(ctxt, cell_name, method_name, method_kwargs, needs_response=False))

    def locate(self, ctxt: dict[str, Any], cell_name: str) -> str:  # noqa: ARG002  # oslo's signature
        """The way from this cell to ``cell_name``.

        :raises cells.exceptions.RoutingError: none is known
        """
        return str(self._topology.walk_to(cell_name))

    def broadcast_call(  # noqa: PLR0913  # one argument per key of the message
        self,
        ctxt: dict[str, Any],
        method_name: str,
        method_kwargs: dict[str, Any],
        direction: str,
        timeout: float | None = None,
        run_locally: bool = True,
    ) -> futures.Future[list[str]]:
        """Call ``method_name`` in all cells above or below.

        :returns: a future of JSON texts of Response, one per cell that answered, failed,
            or kept silent
        """
        with self._noting_refusals("broadcast"):
            message = self._broadcast(
                ctxt, method_name, method_kwargs, direction, needs_response=True, run_locally=run_locally
            )
        return _then(self._router.send(message, self._timeout(timeout)), list)

    def broadcast_cast(
        self,
        ctxt: dict[str, Any],
        method_name: str,
        method_kwargs: dict[str, Any],
        direction: str,
        run_locally: bool = True,
    ) -> None:
        """Call ``method_name`` in all cells above or below, without answers."""
        with self._noting_refusals("broadcast"):
            message = self._broadcast(
                ctxt, method_name, method_kwargs, direction, needs_response=False, run_locally=run_locally
            )
            self._router.cast(message)

    def neighbors(self, ctxt: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002  # oslo's signature
        """The neighbours as this manager knows them; passwords masked."""
        return [self._neighbor(name) for name in sorted(self._table.snapshot().all())]

    def _neighbor(self, name: str) -> dict[str, Any]:
        row, heard = self._table.snapshot().all()[name], self._table.heard(name)
        seen_at = heard.last_seen_at if heard else None
        return {
            "name": name,
            "is_parent": row.is_parent,
            "driver": row.driver,
            "transport_url": transport_url.mask(row.transport_url),
            "state": self._table.state(name).value,
            "last_seen_seconds": None if seen_at is None else round(self._table.seconds_since(seen_at), 3),
            "version": str(heard.description["version"]) if heard and "version" in heard.description else None,
        }

    def topology(self, ctxt: dict[str, Any], timeout: float | None = None) -> futures.Future[dict[str, Any]]:
        """The tree from the top down to all cells below this one, each asked now."""
        message = self._broadcast(ctxt, "ping", {}, Direction.DOWN.value, needs_response=True, run_locally=True)
        answers = self._router.send(message, self._timeout(timeout))
        own_path = self._topology.own_path
        parent_state = self._table.state(own_path[-2]).value if len(own_path) > 1 else ""
        return _then(answers, lambda texts: topology_report.draw(own_path, parent_state, self._responses(texts)))

    def capabilities(self, ctxt: dict[str, Any]) -> dict[str, list[str]]:  # noqa: ARG002  # oslo's signature
        """What this cell and all cells below can do."""
        return self._cell.capabilities()

    def capacities(self, ctxt: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # oslo's signature
        """How much room this cell and all cells below have."""
        return self._cell.capacities()

    def report_capacities(self, ctxt: dict[str, Any], capacities: dict[str, Any], reporter: str = "") -> None:  # noqa: ARG002
        """Take the numbers of a service of this cell; they count until mute_child_interval has passed."""
        self._cell.report_capacities(reporter, _want(capacities, dict, "capacities"))

    def status(self, ctxt: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # oslo's signature
        """Who this manager is, and what it has counted."""
        described = self._cell.describe()
        return {
            **{key: described[key] for key in ("name", "path", "host", "pid", "version", "release")},
            "pending_calls": len(self._pending),
            "counters": self._counters.as_dict(),
        }

    @contextlib.contextmanager
    def _noting_refusals(self, what: str) -> Iterator[None]:
        """Count and log what can not even be sent: of a cast nobody would hear it otherwise."""
        try:
            yield
        except exceptions.CellsError as error:
            self._counters.count("refused", type(error).__name__)
            LOG.info("A %s of a service of this cell is refused: %s", what, error.message)
            raise

    def _targeted(
        self,
        ctxt: dict[str, Any],
        cell_name: str,
        method_name: str,
        method_kwargs: dict[str, Any],
        *,
        needs_response: bool,
    ) -> TargetedMessage:
        target = self._topology.walk_to(cell_name)
        # A walk that starts upward may turn downward on its way, never the other way round.
        goes_up = len(target) > 1 and target[1] in self._table.snapshot().parents
        return TargetedMessage(
            target=target,
            direction=Direction.UP if goes_up else Direction.DOWN,
            **self._request(ctxt, method_name, method_kwargs, needs_response=needs_response),
        )

    def _broadcast(  # noqa: PLR0913  # one argument per key of the message
        self,
        ctxt: dict[str, Any],
        method_name: str,
        method_kwargs: dict[str, Any],
        direction: str,
        *,
        needs_response: bool,
        run_locally: bool,
    ) -> BroadcastMessage:
        try:
            toward = Direction(direction)
        except ValueError as error:
            raise exceptions.InvalidArguments(f"The direction must be up or down, not {direction!r:.40}.") from error
        return BroadcastMessage(
            direction=toward,
            run_locally=run_locally,
            **self._request(ctxt, method_name, method_kwargs, needs_response=needs_response),
        )

    def _request(
        self, ctxt: dict[str, Any], method_name: str, method_kwargs: dict[str, Any], *, needs_response: bool
    ) -> dict[str, Any]:
        return {
            "method": _want(method_name, str, "method_name"),
            "kwargs": _want(method_kwargs, dict, "method_kwargs"),
            "context": ctxt if isinstance(ctxt, Mapping) else {},
            "route": CellPath([self._cell.name]),
            "needs_response": needs_response,
            "max_hop_count": self._max_hop_count,
        }

    def _timeout(self, timeout: float | None) -> float:
        if timeout is None:
            return self._call_timeout_seconds
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < MAX_TIMEOUT_SECONDS:
            raise exceptions.InvalidArguments(f"The timeout must be a number of seconds over 0, not {timeout!r:.40}.")
        return float(timeout)

    def _value(self, texts: Sequence[str]) -> Any:
        response = Response.read_one(texts, self._exception_modules)
        if response.error is not None:
            raise response.error
        return response.value

    def _responses(self, texts: Sequence[str]) -> list[Response]:
        return [Response.read(text, self._exception_modules) for text in texts]


#: Longer waits than this are taken for a mistake.
MAX_TIMEOUT_SECONDS = 7 * 86400.0


def _want(value: Any, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        raise exceptions.InvalidArguments(f"{name} must be of type {kind.__name__}, not {type(value).__name__}.")
    return value


def _then(source: futures.Future[Source], convert: Callable[[Source], T]) -> futures.Future[T]:
    """A future of what ``convert`` makes of the result of ``source``."""
    converted: futures.Future[T] = futures.Future()

    def finish(done: futures.Future[Source]) -> None:
        try:
            converted.set_result(convert(done.result()))
        except Exception as error:  # also what the far endpoint raised
            converted.set_exception(error)

    source.add_done_callback(finish)
    return converted

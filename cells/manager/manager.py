"""CellsManager: the RPC endpoint of the manager for services of its own cell.

One instance per manager serves the RPC topic ``[cells] topic``; its client is
:class:`cells.rpcapi.CellsAPI`.  A method that needs an answer of another cell
returns a future and holds no thread while it waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import replace
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.deadlines import want_timeout
from cells.futures import completed, then
from cells.manager import neighbor_report, topology_report
from cells.manager.answer_streams import AnswerStream
from cells.manager.held_requests import MAX_SECONDS
from cells.manager.local_cell import LocalCell
from cells.manager.message_factory import want_direction
from cells.manager.registrar import Registrar
from cells.manager.requests import Requests
from cells.messages.kinds import BROADCAST_CAST, CAST
from cells.neighbors import Direction
from cells.routing.reply import Reply
from cells.rpcapi.casts import unpack
from cells.services.validation import want
from cells.transport.server import reply_to

LOG = logging.getLogger(__name__)

#: Bound of the time in which a consumer must take a message, whatever the client says.
LONGEST_PROOF_SECONDS = 30.0
_SENT: futures.Future[None] = completed(None)


class CellsManager:
    """RPC endpoint for services of the local cell, version 1.6.

    In all methods ``ctxt`` is the request context as a dict, and ``kwargs`` are JSON values.
    1.1 added ``trace`` and the broadcasts whose answers are streamed, 1.2 ``cast_many``, 1.3 ``links_down``,
    1.4 ``resources``, 1.5 ``create_neighbor``, ``update_neighbor`` and ``delete_neighbor``,
    1.6 ``check_consumers``.
    """

    target = oslo_messaging.Target(version="1.6")

    def __init__(  # noqa: PLR0913  # the last ones by keyword
        self,
        requests: Requests,
        cell: LocalCell,
        exception_modules: Sequence[str],
        call_timeout_seconds: float,
        receives: Mapping[str, str],
        registrar: Registrar,
    ) -> None:
        """:param receives: URLs at which neighbors reach this cell, without passwords, by the options that set them"""
        self._requests = requests
        self._router, self._outgoing, self._streams = requests.router, requests.outgoing, requests.streams
        self._cell = cell
        self._exception_modules = tuple(exception_modules)
        self._call_timeout_seconds = call_timeout_seconds
        self._receives = dict(receives)
        self._registrar = registrar

    def call(
        self,
        ctxt: dict[str, Any],
        cell_name: str,
        method_name: str,
        method_kwargs: dict[str, Any],
        timeout: float | None = None,
    ) -> futures.Future[Any]:
        """Call ``method_name`` in another cell.

        :param timeout: of the answer, in seconds; by default [cells] call_timeout
        :returns: a future of the value of the endpoint, or of its error
        :raises cells.exceptions.RoutingError: no way to that cell is known
        """
        client = reply_to()

        def send(seconds: float) -> futures.Future[Any]:
            with self._outgoing.counting_refusals("call"):
                message = self._outgoing.targeted(ctxt, cell_name, method_name, method_kwargs, needs_response=True)
            return self._requests.call(message, seconds, self._value, client=client)

        return self._requests.held.send(cell_name, self._timeout(timeout), send)

    def cast(self, ctxt: dict[str, Any], cell_name: str, method_name: str, method_kwargs: dict[str, Any]) -> None:
        """Call ``method_name`` in another cell, without an answer."""

        def send(_: float) -> futures.Future[None]:
            with self._outgoing.counting_refusals("cast", CAST):
                self._router.cast(
                    self._outgoing.targeted(ctxt, cell_name, method_name, method_kwargs, needs_response=False)
                )
            return _SENT

        self._requests.held.send(cell_name, MAX_SECONDS, send)

    def cast_many(self, ctxt: dict[str, Any], casts: list[str]) -> None:  # noqa: ARG002  # each cast has its own
        """Run :meth:`cast` many times; an invalid cast does not affect the others.

        :param casts: JSON texts, see :mod:`cells.rpcapi.casts`
        """
        for text in want(casts, list, "casts"):
            bug: Exception | None = None
            try:
                with self._outgoing.counting_refusals("cast", CAST):
                    arguments = unpack(text)
                self.cast(**arguments)
            except exceptions.CellsError as error:
                LOG.debug("One of %d casts was refused: %s", len(casts), error)
            except Exception as error:  # a bug must cost one cast
                bug = error
            if bug is not None:
                LOG.warning("A cast failed: %s: %s", type(bug).__name__, bug)
                LOG.debug("Traceback of the failed cast:", exc_info=bug)

    def locate(self, ctxt: dict[str, Any], cell_name: str) -> str:  # noqa: ARG002  # oslo's signature
        """Return the way from this cell to ``cell_name``.

        :raises cells.exceptions.RoutingError: no way is known
        """
        return str(self._cell.topology.walk_to(cell_name))

    def links_down(self, ctxt: dict[str, Any], cell_name: str = "", direction: str = "") -> list[str]:  # noqa: ARG002
        """Return the neighbors whose links are down, among those that would get a cast.

        :param cell_name: the target of the cast; empty: it is a broadcast in ``direction``
        :raises cells.exceptions.RoutingError: no way to that cell is known
        :raises cells.exceptions.InvalidArguments: there is no such direction
        """
        if not cell_name:
            return self._cell.links_down(self._cell.table.snapshot().toward(want_direction(direction)))
        if self._cell.topology.may_find_later(cell_name):
            return []
        return self._cell.links_down(list(self._cell.topology.walk_to(cell_name))[1:2])

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

        :returns: a future of JSON texts of Response, one for each cell, also if it failed or did not answer
        """
        with self._outgoing.counting_refusals("broadcast"):
            message = self._outgoing.broadcast(ctxt, method_name, method_kwargs, direction, run_locally=run_locally)
        return then(self._router.broadcast(message, self._timeout(timeout)), Reply.to_wire)

    def broadcast_start(  # noqa: PLR0913  # one argument per key of the message
        self,
        ctxt: dict[str, Any],
        method_name: str,
        method_kwargs: dict[str, Any],
        direction: str,
        timeout: float | None = None,
        run_locally: bool = True,
    ) -> dict[str, str]:
        """Call ``method_name`` in all cells above or below; the client fetches the answers as they arrive.

        :returns: ``{"id", "server"}``: the id of the stream of answers, and the manager that keeps it
        """
        seconds = self._timeout(timeout)
        with self._outgoing.counting_refusals("broadcast"):
            message = self._outgoing.broadcast(ctxt, method_name, method_kwargs, direction, run_locally=run_locally)
            broadcast_id, stream = self._streams.start(seconds, on_stop=lambda: self._cell.pending.forget(message.id))
        sent = self._router.broadcast(message, seconds, parts_to=_ToStream(stream))
        # Its result are the errors of neighbors that the broadcast could not be sent to.
        sent.add_done_callback(lambda done: stream.finish(*done.result().to_wire()))
        return {"id": broadcast_id, "server": self._requests.host}

    def broadcast_next(self, ctxt: dict[str, Any], broadcast_id: str) -> futures.Future[dict[str, Any]]:  # noqa: ARG002
        """Return a future of the new answers: ``{"responses": [JSON text of Response, ...], "is_complete"}``.

        :raises cells.exceptions.InvalidArguments: this manager has no stream of that id
        """
        return then(self._streams.next(want(broadcast_id, str, "broadcast_id")), _responses_of)

    def broadcast_stop(self, ctxt: dict[str, Any], broadcast_id: str) -> None:  # noqa: ARG002  # oslo's signature
        """Discard the answers that are not fetched."""
        self._streams.stop(broadcast_id)

    def broadcast_cast(
        self,
        ctxt: dict[str, Any],
        method_name: str,
        method_kwargs: dict[str, Any],
        direction: str,
        run_locally: bool = True,
    ) -> None:
        """Call ``method_name`` in all cells above or below, without answers."""
        with self._outgoing.counting_refusals("broadcast", BROADCAST_CAST):
            message = self._outgoing.broadcast(
                ctxt, method_name, method_kwargs, direction, needs_response=False, run_locally=run_locally
            )
            self._router.cast(message)

    def neighbors(self, ctxt: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002  # oslo's signature
        """Return the neighbors with their state in this manager, as :mod:`cells.manager.neighbor_report` says."""
        return neighbor_report.report(self._cell)

    def check_consumers(self, ctxt: dict[str, Any], timeout: float) -> futures.Future[dict[str, str]]:  # noqa: ARG002
        """Send each consumer of this manager a message through its broker.

        :param timeout: of the way of each message, in seconds
        :returns: a future of the problem of each part of this manager; an empty text: its consumers have taken messages
        """
        return self._cell.prove_consumers(min(want_timeout(timeout), LONGEST_PROOF_SECONDS))

    def topology(self, ctxt: dict[str, Any], timeout: float | None = None) -> futures.Future[dict[str, Any]]:
        """Return a future of the tree from the top to all cells below this cell, which a broadcast asks now."""
        message = self._outgoing.broadcast(ctxt, "ping", {}, Direction.DOWN.value)
        answers = self._router.broadcast(message, self._timeout(timeout))
        own_path = self._cell.topology.own_path
        known = self._cell.topology.cells_toward(Direction.DOWN)

        def draw(reply: Reply) -> dict[str, Any]:
            table = self._cell.table
            states = {name: table.state(name) for name in table.snapshot().all()}
            return topology_report.draw(own_path, states, reply.read_all(self._exception_modules), known)

        return then(answers, draw)

    def trace(
        self, ctxt: dict[str, Any], cell_name: str, timeout: float | None = None
    ) -> futures.Future[dict[str, Any]]:
        """Ping another cell and record the events on the way there and back.

        :returns: a future of ``{"events": [{"cell", "event", "at"}, ...], "error": text or None}``; ``at`` is in
            seconds since 1970, by the clock of that cell
        :raises cells.exceptions.RPCVersionCapError: the link from this cell cannot carry a trace
        """

        def send(seconds: float) -> futures.Future[dict[str, Any]]:
            with self._outgoing.counting_refusals("trace"):
                message = self._outgoing.targeted(ctxt, cell_name, "ping", {}, needs_response=True)
            return then(self._router.send(replace(message, trace=()), seconds), self._events)

        return self._requests.held.send(cell_name, self._timeout(timeout), send)

    def _events(self, reply: Reply) -> dict[str, Any]:
        response = reply.read_one(self._exception_modules)
        if response.error is not None and not response.trace:
            raise response.error
        error = None if response.error is None else str(response.error)
        return {"events": list(response.trace), "error": error}

    def capabilities(self, ctxt: dict[str, Any]) -> dict[str, list[str]]:  # noqa: ARG002  # oslo's signature
        """Return the capabilities of this cell and all cells below."""
        return self._cell.resources.capabilities()

    def capacities(self, ctxt: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # oslo's signature
        """Return the free capacities of this cell and all cells below."""
        return self._cell.resources.capacities()

    def resources(self, ctxt: dict[str, Any], cell_names: list[str]) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """Return ``{"capabilities", "capacities"}``, as it has reported them, for each of the neighbors."""
        return {
            name: {"capabilities": dict(heard.capabilities), "capacities": dict(heard.capacities)}
            for name in want(cell_names, list, "cell_names")
            if isinstance(name, str) and (heard := self._cell.table.heard(name)) is not None
        }

    def create_neighbor(
        self,
        ctxt: dict[str, Any],  # noqa: ARG002  # oslo's signature
        name: str,
        columns: dict[str, Any],
        broker: dict[str, Any],
    ) -> futures.Future[dict[str, Any]]:
        """Register a neighbor.

        :param columns: of its row, see :class:`cells.neighbors.Neighbor`
        :param broker: parts of its transport URL, see :class:`cells.transport.url.Parts`
        :returns: a future of ``{"name", "is_parent", "driver", "transport_url"}``, the URL without passwords
        :raises cells.exceptions.NeighborsReadOnly: the neighbors of this cell are in a file
        """
        return self._registrar.create(name, want(columns, dict, "columns"), want(broker, dict, "broker"))

    def update_neighbor(
        self,
        ctxt: dict[str, Any],  # noqa: ARG002  # oslo's signature
        name: str,
        columns: dict[str, Any],
        broker: dict[str, Any],
    ) -> futures.Future[dict[str, Any]]:
        """Change columns of a neighbor, and parts of its transport URL; otherwise as :meth:`create_neighbor`."""
        return self._registrar.update(
            want(name, str, "name"), want(columns, dict, "columns"), want(broker, dict, "broker")
        )

    def delete_neighbor(self, ctxt: dict[str, Any], name: str) -> futures.Future[None]:  # noqa: ARG002
        """Delete a neighbor."""
        return self._registrar.delete(name)

    def report_capacities(self, ctxt: dict[str, Any], capacities: dict[str, Any], reporter: str = "") -> None:  # noqa: ARG002
        """Record the numbers of a service of this cell; they count until [cells] mute_child_interval has passed."""
        self._cell.report_capacities(reporter, want(capacities, dict, "capacities"))

    def status(self, ctxt: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # oslo's signature
        """Return the identity of this manager and its counters."""
        described = self._cell.describe()
        return {
            **{key: described[key] for key in ("name", "path", "host", "pid", "version", "release")},
            "receives": self._receives,
            "pending_calls": len(self._cell.pending),
            "counters": self._cell.counters.as_dict(),
            "losses": self._cell.losses.as_dict(),
        }

    def _timeout(self, timeout: float | None) -> float:
        return self._call_timeout_seconds if timeout is None else want_timeout(timeout)

    def _value(self, reply: Reply) -> Any:
        response = reply.read_one(self._exception_modules)
        if response.error is not None:
            raise response.error
        return response.value


class _ToStream:
    """Sink of the answers to a broadcast that a client fetches as they arrive."""

    def __init__(self, stream: AnswerStream) -> None:
        self._stream = stream

    def take(self, reply: Reply) -> None:
        self._stream.add(*reply.to_wire())


def _responses_of(batch: dict[str, Any]) -> dict[str, Any]:
    return {"responses": batch["answers"], "is_complete": batch["is_complete"]}

"""CellsAPI: the client of the manager of a service's own cell.

::

    api = CellsAPI(open_transport(conf))
    api.call(ctxt, "api!east", "ping")
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.deadlines import shrink, want_timeout
from cells.rpcapi import way_checks
from cells.rpcapi.arguments import Arguments, Context, context_values, request
from cells.rpcapi.casts import CastBatcher
from cells.rpcapi.cell_answer import CellAnswer
from cells.rpcapi.own_errors import own_errors
from cells.rpcapi.way_checks import WayChecks
from cells.services.answer_batches import AnswerBatches
from cells.services.validation import want_json_object
from cells.transport import attempts, global_options
from cells.transport.errors import BROKER_ERRORS
from cells.transport.patches.reachability import RequestLimits

__all__ = ["CellAnswer", "CellsAPI"]

#: The client waits so much longer than its caller said, for the manager's report of a timeout to arrive.
GRACE_SECONDS = 0.2
#: Share of the timeout of a tree in which cells may answer: the tree without the slowest cells is worth more than an
#: error, so a loaded manager has the rest to send it.
TREE_SHARE = 0.75
#: Limit of the cast that ends a stream early.
STOP_SECONDS = 1.0
#: Default limit of the time until the broker of this cell has a request.
SEND_SECONDS = 10.0
VERSION = "1.0"
#: The version of the manager's API that has traces and streams of answers.
STREAMS_VERSION = "1.1"
#: The version of the manager's API that tells the resources of single neighbors.
RESOURCES_VERSION = "1.4"
#: The version of the manager's API that changes the registered neighbors.
REGISTRATION_VERSION = "1.5"
#: The version of the manager's API that proves that its consumers take messages.
PROOF_VERSION = "1.6"
#: Limit of a change of the registered neighbors: the manager waits for its database.
REGISTRATION_SECONDS = 10.0


class CellsAPI:
    """Client of :class:`cells.manager.CellsManager`.

    Every method raises ManagerTimeout if the manager of this cell does not answer, and oslo.messaging's
    MessageDeliveryFailure if its broker does not take the request in time.
    """

    def __init__(  # noqa: PLR0913  # options by keyword
        self,
        transport: Any,
        topic: str = "cells",
        version_cap: str | None = None,
        timeout: float = 60.0,
        exception_modules: tuple[str, ...] = ("cells.exceptions",),
        exchange: str | None = None,
        send_timeout: float = SEND_SECONDS,
        manager_timeout: float | None = None,
    ) -> None:
        """:param transport: from :func:`cells.transport.opening.open_transport`
        :param version_cap: [upgrade_levels] cells
        :param timeout: default timeout of calls, in seconds
        :param exception_modules: modules whose exceptions are rebuilt
        :param exchange: [cells] exchange
        :param send_timeout: limit of the time until the broker of this cell has a request, in seconds; a call ends at
            its own timeout, too
        :param manager_timeout: timeout of requests that the manager answers by itself, such as :meth:`status`, in
            seconds; by default ``timeout``
        :raises cells.exceptions.ConfigurationError: this client cannot speak the version of the cap
        """
        global_options.share_lock_path(transport)
        target = oslo_messaging.Target(topic=topic, version=VERSION, exchange=exchange)
        self._client = oslo_messaging.get_rpc_client(transport, target, version_cap=version_cap, retry=1)
        _check_cap(self._client, version_cap)
        self._within = RequestLimits(transport).within
        self._send_timeout = send_timeout
        self._casts = CastBatcher(self._client, send_seconds=send_timeout)
        self._checks = WayChecks(is_enabled=self._client.can_send_version(way_checks.VERSION))
        self._timeout = timeout
        self._manager_timeout = timeout if manager_timeout is None else manager_timeout
        self._exception_modules = exception_modules

    def call(
        self, ctxt: Context, cell: str, method: str, kwargs: Arguments = None, *, timeout: float | None = None
    ) -> Any:
        """Call the endpoint ``method`` in another cell and return its value.

        :param cell: a name that is unique among the cells that this cell knows, or a full path, ``api!east``
        :param kwargs: JSON values
        :param timeout: in seconds
        :raises cells.exceptions.CellsError: an error on the way
        :raises Exception: the error of the endpoint, rebuilt if its module is allowed, otherwise RemoteError
        """
        timeout = timeout or self._timeout
        return self._call(ctxt, "call", timeout, **request(method, kwargs, cell_name=cell, timeout=_reduced(timeout)))

    @own_errors
    def cast(self, ctxt: Context, cell: str, method: str, kwargs: Arguments = None) -> None:
        """Call the endpoint ``method`` in another cell without an answer; returns when the broker has the cast.

        A cast fails while the manager knows that it cannot pass the cast on: see :mod:`cells.rpcapi.way_checks`.  Later
        failures are not reported, but counted in the manager.
        Concurrent casts of many threads share one request to the manager: see :mod:`cells.rpcapi.casts`.

        :raises cells.exceptions.NeighborUnreachable: the link toward that cell is down; the cast is not sent
        :raises cells.exceptions.RoutingError: no way is known; the cast is not sent
        """
        values, asked = context_values(ctxt), request(method, kwargs, cell_name=cell)
        with self._within(self._send_timeout):
            down = self._links_down(cell, cell_name=cell)
            if down:
                raise exceptions.NeighborUnreachable(
                    f"The cast to cell {cell} is not sent: the broker of cell {down[0]} takes no messages now.",
                    cell=down[0],
                )
            self._casts.send(values, asked)

    def locate(self, ctxt: Context, cell: str) -> str:
        """Return the way from this cell to another cell, ``az1!east!api``.

        :raises cells.exceptions.RoutingError: no way is known
        """
        way: str = self._call(ctxt, "locate", None, cell_name=cell)
        return way

    def broadcast_call(  # noqa: PLR0913  # options by keyword
        self,
        ctxt: Context,
        method: str,
        kwargs: Arguments = None,
        *,
        direction: str = "down",
        timeout: float | None = None,
        run_locally: bool = True,
    ) -> list[CellAnswer]:
        """Call ``method`` in all cells below (or above) and return all answers.

        The answer of a cell that fails, cannot be reached or does not answer is an error.

        :param run_locally: whether this cell runs the method too
        """
        timeout = timeout or self._timeout
        asked = request(method, kwargs, direction=direction, timeout=_reduced(timeout), run_locally=run_locally)
        texts = self._call(ctxt, "broadcast_call", timeout, **asked)
        return [CellAnswer.read(text, self._exception_modules) for text in texts]

    def broadcast_stream(  # noqa: PLR0913  # options by keyword
        self,
        ctxt: Context,
        method: str,
        kwargs: Arguments = None,
        *,
        direction: str = "down",
        timeout: float | None = None,
        run_locally: bool = True,
    ) -> AnswerBatches[CellAnswer]:
        """As :meth:`broadcast_call`, but yield each answer as soon as it arrives.

        :returns: an iterator of :class:`CellAnswer`; close it to stop before the last answer
        :raises cells.exceptions.RPCVersionCapError: [upgrade_levels] cells is below 1.1
        """
        timeout = timeout or self._timeout
        asked = request(method, kwargs, direction=direction, timeout=_reduced(timeout), run_locally=run_locally)
        deadline = time.monotonic() + timeout
        started = self._call(ctxt, "broadcast_start", timeout, version=STREAMS_VERSION, **asked)
        where = {"version": STREAMS_VERSION, "server": started["server"]}
        which = {"broadcast_id": started["id"]}

        def fetch() -> tuple[list[CellAnswer], bool]:
            left_seconds = max(deadline - time.monotonic(), 0.0)
            batch = self._call(ctxt, "broadcast_next", left_seconds, **where, **which)
            return [CellAnswer.read(text, self._exception_modules) for text in batch["responses"]], batch["is_complete"]

        def stop() -> None:
            # If this cast is lost, the manager discards the answers a minute after the deadline.
            with contextlib.suppress(oslo_messaging.MessagingException, *BROKER_ERRORS), self._within(STOP_SECONDS):
                self._client.prepare(**where, retry=0).cast(context_values(ctxt), "broadcast_stop", **which)

        return AnswerBatches(fetch, stop)

    def trace(self, ctxt: Context, cell: str, *, timeout: float | None = None) -> dict[str, Any]:
        """Ping another cell and return the events on the way there and back.

        :returns: ``{"events": [{"cell", "event", "at"}, ...], "error": text or None}``; ``at`` is in seconds since
            1970, by the clock of that cell
        :raises cells.exceptions.RPCVersionCapError: a link on the way speaks a version below 1.1
        """
        timeout = timeout or self._timeout
        found: dict[str, Any] = self._call(
            ctxt, "trace", timeout, version=STREAMS_VERSION, cell_name=cell, timeout=_reduced(timeout)
        )
        return found

    @own_errors
    def broadcast_cast(
        self, ctxt: Context, method: str, kwargs: Arguments = None, *, direction: str = "down", run_locally: bool = True
    ) -> None:
        """Call ``method`` in all cells below (or above) without answers.

        :raises cells.exceptions.NeighborUnreachable: the links to some neighbors, which the error names, were down; the
            broadcast is sent, and may arrive there nevertheless
        """
        values, asked = context_values(ctxt), request(method, kwargs, direction=direction, run_locally=run_locally)
        with self._within(self._send_timeout):
            # A target with a space is no cell.
            down = self._links_down(f"all cells {direction}", direction=direction)
            self._client.cast(values, "broadcast_cast", **asked)
        if down:
            names = ", ".join(sorted(down))
            raise exceptions.NeighborUnreachable(
                f"The broadcast is sent, but the brokers of {names} took no messages just before: it may not arrive "
                "there, and in the cells behind.",
                cell=names,
                may_arrive=True,
            )

    def _links_down(self, target: str, **arguments: str) -> list[str]:
        def ask(seconds: float) -> list[str]:
            wait = min(seconds, self._send_timeout)
            found: list[str] = self._call({}, "links_down", wait, version=way_checks.VERSION, **arguments)
            return found

        return self._checks.links_down(target, ask)

    def neighbors(self, ctxt: Context) -> list[dict[str, Any]]:
        """Return the neighbors with their current state in the manager."""
        found: list[dict[str, Any]] = self._call(ctxt, "neighbors", None)
        return found

    def topology(self, ctxt: Context, *, timeout: float | None = None) -> dict[str, Any]:
        """Return the tree from the top to all cells below: ``{"name", "path", "state", "is_self", "children"}``.

        :param timeout: in seconds; a cell that has not answered after three quarters of it is "silent"
        """
        timeout = timeout or self._timeout
        tree: dict[str, Any] = self._call(ctxt, "topology", timeout, timeout=TREE_SHARE * want_timeout(timeout))
        return tree

    def capabilities(self, ctxt: Context) -> dict[str, list[str]]:
        """Return the capabilities of this cell and the cells below."""
        found: dict[str, list[str]] = self._call(ctxt, "capabilities", None)
        return found

    def capacities(self, ctxt: Context) -> dict[str, Any]:
        """Return the free capacities of this cell and the cells below."""
        found: dict[str, Any] = self._call(ctxt, "capacities", None)
        return found

    def resources(self, ctxt: Context, cells: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return ``{"capabilities", "capacities"}`` for each of ``cells`` that is a neighbor of this cell.

        :raises cells.exceptions.RPCVersionCapError: [upgrade_levels] cells is below 1.4
        """
        found: dict[str, dict[str, Any]] = self._call(
            ctxt, "resources", None, version=RESOURCES_VERSION, cell_names=list(cells)
        )
        return found

    def check_consumers(self, ctxt: Context, *, timeout: float, server: str | None = None) -> dict[str, str]:
        """Let a manager of this cell send each of its consumers a message through the broker.

        :param timeout: of the way of each message, in seconds
        :param server: the host of the manager; None: any
        :returns: the problem of each part of the manager; an empty text: its consumers have taken messages
        :raises cells.exceptions.RPCVersionCapError: [upgrade_levels] cells is below 1.6
        """
        found: dict[str, str] = self._call(
            ctxt, "check_consumers", timeout + GRACE_SECONDS, version=PROOF_VERSION, server=server, timeout=timeout
        )
        return found

    def create_neighbor(
        self, ctxt: Context, name: str, columns: Mapping[str, Any], broker: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Register a neighbor; return its ``name``, ``is_parent``, ``driver``, and ``transport_url`` without passwords.

        :param columns: of its row, at least ``is_parent``; see :class:`cells.neighbors.Neighbor`
        :param broker: parts of the transport URL: ``hostname``, ``port``, ``username``, ``password``, ``virtual_host``
        :raises cells.exceptions.NeighborError: the change is not possible
        :raises cells.exceptions.RPCVersionCapError: [upgrade_levels] cells is below 1.5
        """
        row: dict[str, Any] = self._registered(
            ctxt, "create_neighbor", name, columns=dict(columns), broker=dict(broker or {})
        )
        return row

    def update_neighbor(
        self, ctxt: Context, name: str, columns: Mapping[str, Any], broker: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Change columns of a neighbor and parts of its transport URL; otherwise as :meth:`create_neighbor`."""
        row: dict[str, Any] = self._registered(
            ctxt, "update_neighbor", name, columns=dict(columns), broker=dict(broker or {})
        )
        return row

    def delete_neighbor(self, ctxt: Context, name: str) -> None:
        """Delete a neighbor.  Raises the errors of :meth:`create_neighbor`."""
        self._registered(ctxt, "delete_neighbor", name)

    def _registered(self, ctxt: Context, operation: str, name: str, **arguments: Any) -> Any:
        return self._call(ctxt, operation, REGISTRATION_SECONDS, version=REGISTRATION_VERSION, name=name, **arguments)

    @own_errors
    def report_capacities(self, ctxt: Context, capacities: Mapping[str, Any], *, reporter: str = "") -> None:
        """Report free capacities of this cell to all its managers.

        Repeat the report more often than [cells] mute_child_interval: older numbers do not count.

        :param capacities: nested mappings of numbers
        :param reporter: the name of the reporting service; the numbers of different reporters are added up
        """
        numbers = want_json_object(capacities, "The capacities")
        client = self._client.prepare(fanout=True)
        with self._within(self._send_timeout):
            client.cast(context_values(ctxt), "report_capacities", capacities=numbers, reporter=reporter)

    def status(self, ctxt: Context) -> dict[str, Any]:
        """Return the identity of the manager and its counters."""
        found: dict[str, Any] = self._call(ctxt, "status", None)
        return found

    @own_errors
    def _call(
        self,
        ctxt: Context,
        operation: str,
        wait: float | None,
        *,
        version: str = VERSION,
        server: str | None = None,
        **arguments: Any,
    ) -> Any:
        wait = (self._manager_timeout if wait is None else wait) + GRACE_SECONDS
        try:
            client = self._client.prepare(timeout=wait, version=version, server=server)
            with self._within(wait, self._send_timeout), attempts.of_request(arguments):
                return client.call(context_values(ctxt), operation, **arguments)
        except oslo_messaging.RPCVersionCapError as error:
            raise exceptions.RPCVersionCapError(
                f"{operation} needs version {version} of the manager's API, and [upgrade_levels] cells = "
                f"{self._client.version_cap} forbids it: raise it once all managers of this cell are upgraded."
            ) from error
        except oslo_messaging.MessagingTimeout as error:
            raise exceptions.ManagerTimeout(
                f"The manager of this cell did not answer within {wait:g} seconds: is cells-manager running, with the "
                "same configuration file as this client?",
                timeout_seconds=wait,
            ) from error
        except oslo_messaging.RemoteError as error:
            raise exceptions.RemoteError(
                f"{error.exc_type}: {error.value}", exc_type=str(error.exc_type), value=str(error.value)
            ) from error
        except Exception as error:
            plain = _without_traceback(error)
            if plain is error:
                raise
            raise plain from error.__cause__


def _check_cap(client: Any, version_cap: str | None) -> None:
    try:
        is_possible = client.can_send_version()
    except ValueError:
        is_possible = False
    if not is_possible:
        raise exceptions.ConfigurationError(
            f"[upgrade_levels] cells = {version_cap}: this client cannot speak that version, it speaks {VERSION}. "
            "Correct the option or remove it."
        )


def _without_traceback(error: Exception) -> Exception:
    """Return ``error`` with its own text: oslo.messaging adds a traceback to the text of an error that it rebuilds."""
    rebuilt = type(error)
    if not rebuilt.__module__.endswith(failure.REMOTE_SUFFIX):
        return error
    return failure.copy(error, type(rebuilt.__name__, rebuilt.__bases__, {"__module__": rebuilt.__module__}))


def _reduced(timeout: float) -> float:
    """Return the part of the caller's timeout that the manager gets, so that its answer arrives in time.

    :raises cells.exceptions.InvalidArguments: it is no number of seconds
    """
    return shrink(want_timeout(timeout))

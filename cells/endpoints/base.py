"""Contract of the endpoints: an endpoint is a function that other cells may call by name.

::

    from cells.endpoints import endpoint

    @endpoint
    def disk_usage(call, path="/"):
        return {"cell": call.cell.name, "used": ...}

The package of the endpoint names the module in its entry points.  Every manager whose
Python environment contains the package then offers the endpoint::

    [options.entry_points]
    cells.endpoints =
        disk = cells_disk_usage.endpoints
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from cells import exceptions
from cells.context import RequestContext
from cells.path import CellPath
from cells.services.answers import Answer
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest
from cells.services.requirements import CellRequirements

#: Types of message that may call an endpoint by default.
REQUESTS = ("targeted", "broadcast")

#: Callers of an endpoint: services of the cell itself, and neighbors on one side, with the cells behind them.
OWN_CELL, PARENTS, CHILDREN = "own_cell", "parents", "children"
EVERY_CALLER = (OWN_CELL, PARENTS, CHILDREN)
ALL = "all"

_ATTRIBUTE = "__cells_endpoint__"


class LocalCell(Protocol):
    """The cell in which an endpoint runs, limited to the members that endpoints may use."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, Any]:
        """Return name, path, host, versions and subtree of this cell; no I/O."""

    def answer_ping(self, sender: str) -> dict[str, Any]:
        """Return :meth:`describe` as the answer to a ping of the cell ``sender``; no I/O."""

    def links(self) -> dict[str, Any]:
        """Return the version of the inter-cell API toward each neighbor, with the reason; no I/O."""

    def examine(self) -> dict[str, Any]:
        """Return the problems of this cell that its manager sees; no I/O."""

    def service_usage(self) -> dict[str, Any]:
        """Return the services that other cells may use, and their use; no I/O."""

    @property
    def services(self) -> LocalServices:
        """The services of this cell, callable for other cells."""

    @property
    def picker(self) -> CellPicker:
        """The picker of a cell that fulfils requirements."""

    def resolve(self, response_to: str, part: str, responses: Sequence[str], passed_on_to: Sequence[str]) -> bool:
        """Deliver answers to the pending call.

        :param part: the way from this cell to the answering cell, without this cell: ``east!az1``
        :param passed_on_to: the neighbors of the answering cell that will answer, too
        """

    def answer_announcement(self, parent: str) -> None:
        """Announce the capabilities of this cell and the cells below to the parents, and ping ``parent``."""

    def send_capacities(self) -> None:
        """Report the capacities of this cell and the cells below to the parents."""

    def record_capabilities(self, child: str, capabilities: Mapping[str, Sequence[str]]) -> None:
        """Store the capabilities that a child announced."""

    def record_capacities(self, child: str, capacities: Mapping[str, Any]) -> None:
        """Store the capacities that a child announced."""


class CellPicker(Protocol):
    """Picker of this cell or a cell below, limited to the members that endpoints may use."""

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
        """Call or cast a method of a service in the best cell, as :meth:`cells.manager.picker.Picker.run` says."""


def _nothing() -> None:
    """Do nothing: no caller waits."""


def _allow(_: ServiceRequest) -> None:
    """Do nothing: services of the cell itself may call each service."""


@dataclass  # not frozen: the constructor of a frozen dataclass takes three times as long
class Call:
    """One call of an endpoint: the first argument of its function."""

    cell: LocalCell
    method: str
    arguments: Mapping[str, Any]
    message_type: str
    #: the cells that the message has passed, source first, this cell last
    route: CellPath
    response_to: str | None
    context_values: Mapping[str, Any]
    #: end of the caller's timeout, in seconds of the monotonic clock; None: no caller waits, or its timeout is unknown
    deadline: float | None = None
    #: the longest time that this cell works for the neighbor that sent the message
    max_seconds: float = math.inf
    #: W3C Trace Context of the operation that this call belongs to; empty if the source sent none
    traceparent: str = ""
    #: sends the caller a heartbeat of this call; returns at once.  Only a monitored call may use it:
    #: other callers do not understand the heartbeat.
    still_working: Callable[[], object] = _nothing
    #: raises ServiceNotAllowed if the neighbor that sent the message may not call that service
    check_service: Callable[[ServiceRequest], None] = _allow

    @functools.cached_property
    def context(self) -> RequestContext:
        """The user, project and roles of the request."""
        return RequestContext.from_dict(self.context_values)

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the caller still waits for the answer; None: no caller waits, or its timeout is unknown."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def is_foreign(self) -> bool:
        """Whether the message came from another cell."""
        return len(self.route) > 1

    @property
    def sender(self) -> str:
        """The neighbor that sent the message; this cell itself for a message of its own."""
        return self.route.sender or self.route.last

    def told_by(self, cell_name: str) -> str:
        """Return ``cell_name`` if that neighbor sent the message itself; a cell may report only about itself.

        :raises cells.exceptions.InvalidArguments: another cell sent or forwarded the message
        """
        if len(self.route) != 2 or cell_name != self.sender:
            raise exceptions.InvalidArguments(
                f"An update about {cell_name!r:.80} came by the route {self.route.as_route}: "
                "a cell may report only about itself.",
                method=self.method,
            )
        return cell_name


@dataclass(frozen=True)
class EndpointMark:
    """Settings that the decorator stores on a function."""

    name: str
    accepts: tuple[str, ...]
    blocks: bool = True
    callers: frozenset[str] = frozenset(EVERY_CALLER)


Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def endpoint(function: Function) -> Function: ...


@overload
def endpoint(
    *,
    name: str | None = None,
    accepts: Sequence[str] = REQUESTS,
    blocks: bool = True,
    callers: str | Sequence[str] = ALL,
) -> Callable[[Function], Function]: ...


def endpoint(
    function: Function | None = None,
    *,
    name: str | None = None,
    accepts: Sequence[str] = REQUESTS,
    blocks: bool = True,
    callers: str | Sequence[str] = ALL,
) -> Function | Callable[[Function], Function]:
    """Let other cells call ``function``.

    The first argument is a :class:`Call`; the others come by keyword from the message and
    are JSON values.  The function must return a JSON value, or a
    :class:`concurrent.futures.Future` of one, which holds no thread.  An exception goes to the
    caller.  The function runs on its own thread and may block until the caller's deadline.

    :param name: the method name in messages, if it differs from the name of the function
    :param accepts: types of message that may call the endpoint
    :param blocks: False promises that the function returns at once and waits for no lock,
        file or socket: it then runs on the thread that reads the messages
    :param callers: the cells from which calls may come: some of ``"own_cell"`` (services of the cell itself),
        ``"parents"`` and ``"children"`` (the neighbor that delivers the call, whichever cell behind it is the source),
        or ``"all"``; other calls fail with CallNotAllowed
    :raises cells.exceptions.PluginError: ``callers`` has another word
    """
    allowed = _callers(callers)

    def mark(marked: Function) -> Function:
        found = EndpointMark(name or marked.__name__, tuple(accepts), blocks, allowed)
        setattr(marked, _ATTRIBUTE, found)
        return marked

    return mark if function is None else mark(function)


def _callers(callers: str | Sequence[str]) -> frozenset[str]:
    given = frozenset((callers,) if isinstance(callers, str) else callers)
    if given == {ALL}:
        return frozenset(EVERY_CALLER)
    unknown = sorted(given.difference(EVERY_CALLER))
    if unknown or not given:
        words = ", ".join(EVERY_CALLER)
        raise exceptions.PluginError(
            f"callers of an endpoint are {ALL!r}, or some of {words}, and not {', '.join(unknown) or 'none'}."
        )
    return given


def mark_of(candidate: object) -> EndpointMark | None:
    """Return the mark on ``candidate``, or None if it is no endpoint."""
    mark = getattr(candidate, _ATTRIBUTE, None)
    return mark if isinstance(mark, EndpointMark) else None

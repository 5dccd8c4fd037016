"""What an endpoint is: a function that other cells may call by name.

::

    from cells.endpoints import endpoint

    @endpoint
    def disk_usage(call, path="/"):
        return {"cell": call.cell.name, "used": ...}

The package that has it names the module in its entry points, and every manager
on whose machine the package is installed offers it::

    [options.entry_points]
    cells.endpoints =
        disk = cells_disk_usage.endpoints
"""

from __future__ import annotations

import functools
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

#: Types of message that may call an endpoint unless it says otherwise.
REQUESTS = ("targeted", "broadcast")

_ATTRIBUTE = "__cells_endpoint__"


class LocalCell(Protocol):
    """The cell in which an endpoint runs, as far as endpoints may use it."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, Any]:
        """Name, path, host, versions and subtree of this cell; no I/O."""

    def links(self) -> dict[str, Any]:
        """Which version of the inter-cell API this cell speaks with each neighbor, and why; no I/O."""

    @property
    def services(self) -> LocalServices:
        """The services of this cell, for those of other cells."""

    @property
    def picker(self) -> CellPicker:
        """Finds a cell that fulfils requirements."""

    def resolve(self, response_to: str, part: str, responses: Sequence[str], passed_on_to: Sequence[str]) -> bool:
        """Hand answers to the call that waits for them.

        :param part: the way from this cell to the one that answers, without this one: ``east!az1``
        :param passed_on_to: the neighbors of that one that will answer, too
        """

    def answer_announcement(self, parent: str) -> None:
        """Tell the parents what this cell and those below can do, and ask the one that spoke who it is."""

    def send_capacities(self) -> None:
        """Tell the parents how much room this cell and those below have."""

    def record_capabilities(self, child: str, capabilities: Mapping[str, Sequence[str]]) -> None:
        """Keep what a child announced."""

    def record_capacities(self, child: str, capacities: Mapping[str, Any]) -> None:
        """Keep what a child announced."""


class CellPicker(Protocol):
    """Picks one of the cells below, or this one, as far as endpoints may use it."""

    def call(  # noqa: PLR0913  # what is asked, for whom, and for how long
        self,
        requirements: CellRequirements,
        request: ServiceRequest,
        context: Mapping[str, Any],
        timeout_seconds: float,
        *,
        is_foreign: bool,
        still_working: Callable[[], object] | None,
    ) -> futures.Future[Answer]:
        """Call a service there."""

    def cast(
        self,
        requirements: CellRequirements,
        request: ServiceRequest,
        context: Mapping[str, Any],
        timeout_seconds: float,
        *,
        is_foreign: bool,
    ) -> futures.Future[Answer]:
        """Cast to a service there; done when its broker has it."""


def _nothing() -> None:
    """Nobody waits."""


@dataclass(frozen=True, init=False)
class Call:
    """One call of an endpoint: what it is handed as its first argument."""

    cell: LocalCell
    method: str
    arguments: Mapping[str, Any]
    message_type: str
    #: the cells that the message has walked, source first, this cell last
    route: CellPath
    response_to: str | None
    context_values: Mapping[str, Any]
    #: until when somebody waits for the answer, in seconds of the monotonic clock; None: nobody, or nobody knows
    deadline: float | None = None
    #: of W3C's Trace Context: what this call is a part of; empty: nobody said
    traceparent: str = ""
    #: tells who waits for the answer that it will still come; returns at once.  A call that is not monitored
    #: must not use it: nobody there understands it.
    still_working: Callable[[], object] = _nothing

    def __init__(  # noqa: PLR0913  # its fields
        self,
        cell: LocalCell,
        method: str,
        arguments: Mapping[str, Any],
        message_type: str,
        route: CellPath,
        response_to: str | None,
        context_values: Mapping[str, Any],
        deadline: float | None = None,
        traceparent: str = "",
        still_working: Callable[[], object] = _nothing,
    ) -> None:
        # What a frozen dataclass makes sets each field by itself, at thrice the price.
        self.__dict__.update(
            cell=cell,
            method=method,
            arguments=arguments,
            message_type=message_type,
            route=route,
            response_to=response_to,
            context_values=context_values,
            deadline=deadline,
            traceparent=traceparent,
            still_working=still_working,
        )

    @functools.cached_property
    def context(self) -> RequestContext:
        """Who asks."""
        return RequestContext.from_dict(self.context_values)

    @property
    def seconds_left(self) -> float | None:
        """How long somebody still waits for the answer; None: nobody, or nobody knows."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def is_foreign(self) -> bool:
        """Whether another cell asks."""
        return len(self.route) > 1

    @property
    def sender(self) -> str:
        """The neighbor from which the message came; this cell itself if it came from none."""
        return self.route[-2] if len(self.route) > 1 else self.route.last

    def told_by(self, cell_name: str) -> str:
        """The name of the neighbor that speaks; it is believed about itself alone.

        :raises cells.exceptions.InvalidArguments: another one sent the message, or passed it on
        """
        if len(self.route) != 2 or cell_name != self.sender:
            raise exceptions.InvalidArguments(
                f"An update about {cell_name!r:.80} came by {self.route}: a cell tells about itself alone.",
                method=self.method,
            )
        return cell_name


@dataclass(frozen=True)
class EndpointMark:
    """What the decorator leaves on a function."""

    name: str
    accepts: tuple[str, ...]
    blocks: bool = True


Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def endpoint(function: Function) -> Function: ...


@overload
def endpoint(
    *, name: str | None = None, accepts: Sequence[str] = REQUESTS, blocks: bool = True
) -> Callable[[Function], Function]: ...


def endpoint(
    function: Function | None = None,
    *,
    name: str | None = None,
    accepts: Sequence[str] = REQUESTS,
    blocks: bool = True,
) -> Function | Callable[[Function], Function]:
    """Let other cells call ``function``.

    Its first argument is a :class:`Call`, the others come by keyword from the
    message and are JSON values; so must be what it returns, or a
    :class:`concurrent.futures.Future` of it, which holds no thread.  What it raises
    goes to the caller.  It runs on a thread of its own and may block, for as long as
    its caller is willing to wait.

    :param name: the method name in messages, if it is not the function's own
    :param accepts: types of message that may call it
    :param blocks: False promises that it returns at once and waits for nothing, no
        lock, file or socket: it then runs on the thread that reads the messages
    """

    def mark(marked: Function) -> Function:
        setattr(marked, _ATTRIBUTE, EndpointMark(name or marked.__name__, tuple(accepts), blocks))
        return marked

    return mark if function is None else mark(function)


def mark_of(candidate: object) -> EndpointMark | None:
    """The mark on ``candidate``, or None if it is no endpoint."""
    mark = getattr(candidate, _ATTRIBUTE, None)
    return mark if isinstance(mark, EndpointMark) else None

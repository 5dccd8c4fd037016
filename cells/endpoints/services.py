"""Endpoints for services: calls, casts and events for the services of this cell and the cells below."""

from __future__ import annotations

from concurrent import futures
from functools import partial
from typing import Any

from cells import exceptions
from cells.deadlines import shrink, want_timeout
from cells.endpoints.base import Call, endpoint
from cells.services.answers import Answer
from cells.services.request import ServiceRequest
from cells.services.requirements import CellRequirements

#: Types of message that may make a monitored call.  The caller of a broadcast would take a heartbeat for the answer.
ONE_CELL = ("targeted",)


@endpoint(accepts=ONE_CELL, blocks=False)
def service_call(call: Call, request: dict[str, Any], time_left: float) -> futures.Future[Answer]:
    """Call a method of a service; ``time_left``: seconds left at the source when it sent the message."""
    return call.cell.services.call(
        _request(call, request),
        call.context_values,
        _left_here(call, time_left),
        neighbor=_neighbor(call),
        still_working=call.still_working,
    )


@endpoint(blocks=False)
def service_cast(call: Call, request: dict[str, Any]) -> futures.Future[None]:
    """Cast a method of a service, to one or to all of its servers."""
    return call.cell.services.cast(_request(call, request), call.context_values, neighbor=_neighbor(call))


@endpoint(blocks=False)
def service_event(call: Call, request: dict[str, Any]) -> futures.Future[None]:
    """Send an event to each consumer pool of a topic."""
    return call.cell.services.publish(_request(call, request), call.context_values, neighbor=_neighbor(call))


@endpoint(accepts=ONE_CELL, blocks=False)
def service_call_any(
    call: Call, requirements: dict[str, Any], request: dict[str, Any], time_left: float
) -> futures.Future[Answer]:
    """Call a method of a service in a cell, this one or below, that fulfills ``requirements``."""
    return _run_in_any("call", call, requirements, request, time_left)


@endpoint(blocks=False)
def service_cast_any(
    call: Call, requirements: dict[str, Any], request: dict[str, Any], time_left: float
) -> futures.Future[Answer]:
    """Cast a method of a service in a cell, this one or below, that fulfills ``requirements``."""
    return _run_in_any("cast", call, requirements, request, time_left)


def _run_in_any(
    kind: str, call: Call, requirements: object, request: object, time_left: object
) -> futures.Future[Answer]:
    return call.cell.picker.run(
        kind,
        CellRequirements.from_dict(requirements),
        _request(call, request),
        context=call.context_values,
        timeout_seconds=_left_here(call, time_left),
        neighbor=_neighbor(call),
        still_working=call.still_working,
    )


def _neighbor(call: Call) -> str:
    """Return the neighbor that sent the request; empty if a service of this cell did."""
    return call.sender if call.is_foreign else ""


def _request(call: Call, request: object) -> ServiceRequest:
    """Return the request.

    :raises cells.exceptions.ServiceNotAllowed: the row of the neighbor that sent it does not allow it
    """
    found = ServiceRequest.from_dict(request)
    call.check_service(found)
    return found


def _left_here(call: Call, time_left: object) -> float:
    """Return the seconds left of ``time_left`` after the hops to this cell, within the limit of the sender.

    :raises cells.exceptions.InvalidArguments: ``time_left`` is not a number of seconds
    """
    refusal = partial(exceptions.InvalidArguments, method=call.method)
    return min(shrink(want_timeout(time_left, "time_left", refusal), len(call.route) - 1), call.max_seconds)

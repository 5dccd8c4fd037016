"""What other cells may ask of the services of this cell, and of those below."""

from __future__ import annotations

from concurrent import futures
from typing import Any

from cells import exceptions
from cells.deadlines import LONGEST_SECONDS, shrink
from cells.endpoints.base import Call, endpoint
from cells.services.answers import Answer
from cells.services.request import ServiceRequest
from cells.services.requirements import CellRequirements

#: The type of message that may ask for a method that is monitored.  Who gathers the answers to a broadcast would take
#: the sign that an answer will still come for the answer.
ONE_CELL = ("targeted",)


@endpoint(accepts=ONE_CELL, blocks=False)
def service_call(call: Call, request: dict[str, Any], time_left: float) -> futures.Future[Answer]:
    """Call a method of a service; ``time_left`` is in seconds, as the source of the message saw it."""
    return call.cell.services.call(
        ServiceRequest.from_dict(request),
        call.context_values,
        _left_here(call, time_left),
        is_foreign=call.is_foreign,
        still_working=call.still_working,
    )


@endpoint(blocks=False)
def service_cast(call: Call, request: dict[str, Any]) -> futures.Future[None]:
    """Cast a method of a service, or of all servers of it."""
    return call.cell.services.cast(ServiceRequest.from_dict(request), call.context_values, is_foreign=call.is_foreign)


@endpoint(blocks=False)
def service_event(call: Call, request: dict[str, Any]) -> futures.Future[None]:
    """Give an event to each consumer pool of a topic."""
    return call.cell.services.publish(
        ServiceRequest.from_dict(request), call.context_values, is_foreign=call.is_foreign
    )


@endpoint(accepts=ONE_CELL, blocks=False)
def service_call_any(
    call: Call, requirements: dict[str, Any], request: dict[str, Any], time_left: float
) -> futures.Future[Answer]:
    """Call a method of a service in this cell or one below that fulfils ``requirements``."""
    return call.cell.picker.call(
        CellRequirements.from_dict(requirements),
        ServiceRequest.from_dict(request),
        call.context_values,
        _left_here(call, time_left),
        is_foreign=call.is_foreign,
        still_working=call.still_working,
    )


@endpoint(blocks=False)
def service_cast_any(
    call: Call, requirements: dict[str, Any], request: dict[str, Any], time_left: float
) -> futures.Future[Answer]:
    """Cast a method of a service in this cell or one below that fulfils ``requirements``."""
    return call.cell.picker.cast(
        CellRequirements.from_dict(requirements),
        ServiceRequest.from_dict(request),
        call.context_values,
        _left_here(call, time_left),
        is_foreign=call.is_foreign,
    )


def _left_here(call: Call, time_left: object) -> float:
    """What each hop on the way here has left of the time.

    :raises cells.exceptions.InvalidArguments: it is no number of seconds
    """
    if isinstance(time_left, bool) or not isinstance(time_left, (int, float)) or not 0 < time_left <= LONGEST_SECONDS:
        raise exceptions.InvalidArguments(
            f"'time_left' must be a number of seconds over 0, at most {LONGEST_SECONDS:.0f}, not {time_left!r:.40}.",
            method=call.method,
        )
    return shrink(float(time_left), len(call.route) - 1)

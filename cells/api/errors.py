"""Errors of the HTTP API, and the HTTP status of each error of the manager and of other cells."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import oslo_messaging

from cells import exceptions, failure, printable

MAX_TEXT = 2000


class ApiError(Exception):
    """An error that the client gets with this status."""

    def __init__(
        self, status: HTTPStatus, message: str, *, headers: Mapping[str, str] | None = None, **details: Any
    ) -> None:
        """:param details: further keys of the JSON object ``error``"""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.details = details


#: The first class that an error is an instance of decides.
_STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (exceptions.ManagerTimeout, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.ManagerBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.ManagerStopping, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.ManagerGone, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.MatchMakerException, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.NeighborBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (oslo_messaging.MessageDeliveryFailure, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.CallTimeout, HTTPStatus.GATEWAY_TIMEOUT),
    (exceptions.CellNotFound, HTTPStatus.NOT_FOUND),
    (exceptions.NeighborNotFound, HTTPStatus.NOT_FOUND),
    (exceptions.NeighborExists, HTTPStatus.CONFLICT),
    (exceptions.NeighborsReadOnly, HTTPStatus.FORBIDDEN),
    (exceptions.InvalidNeighbor, HTTPStatus.BAD_REQUEST),
    (exceptions.DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.UnknownMethod, HTTPStatus.NOT_FOUND),
    (exceptions.AmbiguousCell, HTTPStatus.BAD_REQUEST),
    (exceptions.MessageTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (exceptions.InvalidArguments, HTTPStatus.BAD_REQUEST),
    (exceptions.MalformedMessage, HTTPStatus.BAD_REQUEST),
    (exceptions.CallNotAllowed, HTTPStatus.FORBIDDEN),
    (exceptions.ServiceNotAllowed, HTTPStatus.FORBIDDEN),
    (exceptions.RPCVersionCapError, HTTPStatus.NOT_IMPLEMENTED),
)


def from_manager(error: Exception) -> ApiError:
    """Return the error for the client of ``error``, which a request to the manager has raised.

    An error that this project does not know is one of the called method in the other cell: 502.
    """
    status = next((status for cls, status in _STATUSES if isinstance(error, cls)), HTTPStatus.BAD_GATEWAY)
    details: dict[str, Any] = {"type": getattr(error, "exc_type", None) or failure.name_of(error)}
    if isinstance(error, exceptions.CellsError) and error.cell is not None:
        details["cell"] = error.cell
    return ApiError(status, failure.text_of(error), **details)


def body_of(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the JSON document of an error, without the logins of URLs."""
    return {
        "error": {
            "code": error.status.value,
            "title": error.status.phrase,
            "message": printable.without_logins(error.message[:MAX_TEXT]),
            "request_id": request_id,
            **error.details,
        }
    }

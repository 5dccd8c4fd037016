"""Route: one operation of the HTTP API, with the schemas of all that it reads and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from cells.api.examiner import Examiner
from cells.api.manager_client import ManagerClient
from cells.context import RequestContext

Schema = Mapping[str, Any]
NO_PARAMETERS: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class ApiRequest:
    """A request whose client, parameters and body have been checked."""

    context: RequestContext
    manager: ManagerClient
    examiner: Examiner
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Route:
    """One method of one path.

    ``handle`` runs on a thread of the WSGI server, may block until the deadline of its request to the manager, and
    returns the JSON document of the answer.  It raises :class:`cells.api.errors.ApiError`; the errors of the manager
    have become such errors in :class:`cells.api.manager_client.ManagerClient`.
    """

    #: unique; the rule of the policy has the same name with a prefix
    name: str
    method: str
    #: ``/v1/cells/<name>``, as werkzeug writes it
    path: str
    summary: str
    handle: Callable[[ApiRequest], dict[str, Any] | None]
    #: schema of the answer; None: it has no body, and ``handle`` returns None
    answer: Schema | None
    #: the role that the default policy requires; empty: everybody, without a token
    role: str = "reader"
    query: Schema = field(default_factory=lambda: NO_PARAMETERS)
    #: None: the operation has no body
    body: Schema | None = None
    #: further statuses that the operation can answer with
    statuses: tuple[HTTPStatus, ...] = ()

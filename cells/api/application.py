"""Application: the WSGI application of the HTTP API."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from cells.api import microversion, reading
from cells.api.authentication import Authenticator
from cells.api.errors import ApiError, body_of
from cells.api.examiner import Examiner
from cells.api.manager_client import ManagerClient
from cells.api.microversion import Microversion
from cells.api.policies import Policy
from cells.api.route import ApiRequest, Route
from cells.api.routes import ROUTES
from cells.context import RequestContext
from cells.path import MAX_NAME_LENGTH

LOG = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-OpenStack-Request-ID"
_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class Application:
    """Answers each request with one JSON document.  Thread-safe; holds one thread of the server per request."""

    def __init__(  # noqa: PLR0913  # the parts of the only instance
        self,
        manager: ManagerClient,
        examiner: Examiner,
        authenticator: Authenticator,
        policy: Policy,
        max_body_bytes: int,
        routes: Sequence[Route] = ROUTES,
    ) -> None:
        self._manager = manager
        self._examiner = examiner
        self._authenticator = authenticator
        self._policy = policy
        self._max_body_bytes = max_body_bytes
        self._urls = Map(
            [Rule(route.path, methods=[route.method], endpoint=route) for route in routes],
            strict_slashes=False,
            merge_slashes=False,
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request; called by the WSGI server.  Never raises."""
        request = Request(environ)
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        ctxt = RequestContext(
            # The id of the request of another service, of which this one is a part.
            global_request_id=given if _REQUEST_ID.fullmatch(given) else None,
            remote_address=environ.get("REMOTE_ADDR"),
        )
        response = self._respond(request, ctxt)
        response.headers[REQUEST_ID_HEADER] = ctxt.request_id
        response.headers["Vary"] = microversion.HEADER
        return response(environ, start_response)

    def _respond(self, request: Request, ctxt: RequestContext) -> Response:
        try:
            # Before all other errors: a server reads the body of a request that the application has answered.
            reading.check_length(request, self._max_body_bytes)
            version = _version_of(request)
        except ApiError as error:
            return _failed(error, ctxt.request_id)
        response = self._handled(request, ctxt)
        response.headers[microversion.HEADER] = f"{microversion.SERVICE} {version}"
        return response

    def _handled(self, request: Request, ctxt: RequestContext) -> Response:
        try:
            answer = self._answer(request, ctxt)
            return Response(status=HTTPStatus.NO_CONTENT.value) if answer is None else _json(HTTPStatus.OK, answer)
        except ApiError as error:
            failed = error
        except MethodNotAllowed as error:
            failed = ApiError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{request.path[:200]} has no method {request.method[:20]}.",
                headers={"Allow": ", ".join(sorted(error.valid_methods or ()))},
            )
        except HTTPException as error:
            failed = ApiError(HTTPStatus(error.code or HTTPStatus.BAD_REQUEST), error.description or error.name)
        except Exception:
            LOG.exception("%s %s failed, request %s", request.method, request.path, ctxt.request_id)
            failed = ApiError(
                HTTPStatus.INTERNAL_SERVER_ERROR, "This is a mistake in cells-api; its log has the details."
            )
        return _failed(failed, ctxt.request_id)

    def _answer(self, request: Request, ctxt: RequestContext) -> dict[str, Any] | None:
        route, path = self._urls.bind("localhost").match(request.path, request.method)
        if route.role:
            for name, value in self._authenticator.identify(request.environ).items():
                setattr(ctxt, name, value)
            self._policy.check(route, ctxt)
            ctxt.is_admin = self._policy.is_admin(ctxt)
        if any(len(name) > MAX_NAME_LENGTH for name in path.values()):
            raise ApiError(HTTPStatus.NOT_FOUND, f"No cell has a name of more than {MAX_NAME_LENGTH} characters.")
        query = reading.query_of(request, route)
        body = reading.body_of(request, route, self._max_body_bytes)
        answer: dict[str, Any] | None = route.handle(ApiRequest(ctxt, self._manager, self._examiner, path, query, body))
        return answer


def _version_of(request: Request) -> Microversion:
    # A client that knows no version must be able to ask for the versions.
    if request.path.strip("/") in ("", "v1"):
        return microversion.OLDEST
    return microversion.read(request.headers.get(microversion.HEADER))


def _failed(error: ApiError, request_id: str) -> Response:
    response = _json(error.status, body_of(error, request_id))
    response.headers.update(error.headers)
    return response


def _json(status: HTTPStatus, document: dict[str, Any]) -> Response:
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        raise ApiError(
            HTTPStatus.BAD_GATEWAY, "The other cell has returned a number that JSON does not have."
        ) from None
    return Response(text, status.value, content_type="application/json")

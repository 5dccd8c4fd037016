"""The OpenAPI document of the HTTP API, made from its table of routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from cells.api import microversion
from cells.api.route import Route, Schema
from cells.api.schemas import answer
from cells.path import MAX_NAME_LENGTH

OPENAPI_VERSION = "3.1.0"
ERROR: Schema = answer(
    error={
        **answer(
            code={"type": "integer"},
            title={"type": "string"},
            message={"type": "string"},
            request_id={"type": "string"},
        ),
        "description": 'Also "field" of the request, "type" of the error, and "cell", where they are known',
    }
)
#: Statuses of every operation that needs a token: it asks the manager.
_OF_ALL = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def document(routes: Iterable[Route], release: str) -> dict[str, Any]:
    """Return the document as JSON values.

    :param release: of this project
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_template(route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": "HTTP API of a cell", "version": release},
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{"token": []}, {"bearer": []}] if route.role else [],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query), *_headers(route)],
        "responses": {
            **_success(route),
            **{
                str(status.value): {
                    "description": status.phrase,
                    "content": _json({"$ref": "#/components/schemas/Error"}),
                }
                for status in _statuses(route)
            },
        },
    }
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": _json(route.body)}
    return found


def _success(route: Route) -> dict[str, Any]:
    if route.answer is None:
        return {"204": {"description": "Done; the answer has no body"}}
    return {"200": {"description": "The answer", "content": _json(route.answer)}}


def _statuses(route: Route) -> list[HTTPStatus]:
    common = _OF_ALL if route.role else (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    of_body = () if route.body is None else (HTTPStatus.UNSUPPORTED_MEDIA_TYPE,)
    return sorted({*common, *of_body, *route.statuses})


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("<")]
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(query: Schema) -> list[dict[str, Any]]:
    properties: Mapping[str, Mapping[str, Any]] = query["properties"]
    required = query.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": dict(schema)}
        for name, schema in properties.items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    if not route.role:
        return []
    example = f"{microversion.SERVICE} {microversion.NEWEST}"
    # The header may have versions of other services, too, so that its schema has no pattern.
    schema = {"type": "string", "default": f"{microversion.SERVICE} {microversion.OLDEST}"}
    found = {"name": microversion.HEADER, "in": "header", "required": False, "schema": schema, "example": example}
    return [found]


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": dict(schema)}}


def _template(path: str) -> str:
    return path.replace("<", "{").replace(">", "}")

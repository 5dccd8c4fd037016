"""Reading of the parameters and of the body of an HTTP request, each with its limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

import jsonschema
from jsonschema.exceptions import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from cells.api.errors import ApiError
from cells.api.route import Route, Schema

#: Deeper values have no use, and libraries fail on them.
MAX_DEPTH = 64
MAX_SHOWN = 300
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


def check_length(request: Request, max_bytes: int) -> None:
    """Refuse a long body before it is read.

    :raises cells.api.errors.ApiError: 413
    """
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)


def query_of(request: Request, route: Route) -> dict[str, Any]:
    """Return the parameters of the query, with numbers as numbers, and the defaults of the schema.

    :raises cells.api.errors.ApiError: 400, with the name of the parameter
    """
    properties: Mapping[str, Any] = route.query["properties"]
    values: dict[str, Any] = {name: found["default"] for name, found in properties.items() if "default" in found}
    for name, given in request.args.lists():
        if len(given) > 1:
            raise _wrong(f"query.{name}", "The parameter is given twice.")
        values[name] = _converted(given[0], properties.get(name, {}).get("type"))
    _check(values, route.query, "query")
    return values


def body_of(request: Request, route: Route, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object of the body; empty if the operation has no body.

    :raises cells.api.errors.ApiError: 400 with the path of the field; 413; 415
    """
    if route.body is None:
        return {}
    # A web page can send other types to any host without asking that host first.
    if request.mimetype != "application/json":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The header Content-Type must be application/json.")
    request.max_content_length = max_bytes
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(max_bytes) from None
    body: dict[str, Any] = _parsed(data)
    _check(body, route.body, "body")
    return body


def _parsed(data: bytes) -> Any:
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
        # Texts with half of a surrogate pair have no UTF-8 form.
        json.dumps(value, ensure_ascii=False).encode()
        depth = _depth(value)
    except RecursionError:
        depth = MAX_DEPTH + 1
    except ValueError as error:
        raise _wrong("body", f"The body is not JSON: {error}") from None
    if depth > MAX_DEPTH:
        raise _wrong("body", f"The body has more than {MAX_DEPTH} levels.")
    return value


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        current, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = current.values() if isinstance(current, dict) else current if isinstance(current, list) else ()
        waiting.extend((item, depth + 1) for item in inner)
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _converted(text: str, kind: object) -> Any:
    """Return a number or a boolean if the schema wants it and the text is one; otherwise the text, for its error."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind not in ("number", "integer") or not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _check(value: Any, schema: Schema, where: str) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    found = min(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)), default=None)
    if found is not None:
        raise _wrong(".".join([where, *map(str, found.absolute_path)]), _shown(found))


def _shown(error: ValidationError) -> str:
    if isinstance(error.schema, Mapping) and error.schema.get("writeOnly"):
        # The text of the library has the value.
        return f"This value does not fulfil {error.validator} = {error.validator_value}."
    return error.message if len(error.message) <= MAX_SHOWN else f"{error.message[:MAX_SHOWN]}..."


def _wrong(field: str, problem: str) -> ApiError:
    field = field[:MAX_SHOWN]
    return ApiError(HTTPStatus.BAD_REQUEST, f"{field}: {problem}", field=field)


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body has more than {max_bytes} bytes, which is [cells_api] max_body_bytes.",
    )

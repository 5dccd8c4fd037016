"""JSON schemas that several routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cells.deadlines import LONGEST_SECONDS
from cells.path import MAX_NAME_LENGTH

Schema = Mapping[str, Any]

MAX_PAGE = 1000
#: Longest cell name or path that a request can have.
MAX_PATH_LENGTH = 4096
#: Longest timeout of a request: it holds a thread.
MAX_TIMEOUT_SECONDS = min(600.0, LONGEST_SECONDS)

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
CELL: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_PATH_LENGTH,
    "description": "A name that is unique among the known cells, or a full path from the top, api!east!az1",
}
CAPACITIES: Schema = {
    "type": "object",
    "description": "Nested objects of numbers, such as ram_free and disk_free of Nova",
}
CAPABILITIES: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}


def timeout(default: float | None) -> dict[str, Any]:
    """Return the schema of a timeout in seconds; ``default`` None: [cells] call_timeout."""
    found: dict[str, Any] = {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": MAX_TIMEOUT_SECONDS,
        "description": "Time to wait for the answer, in seconds; by default [cells] call_timeout",
    }
    if default is not None:
        found |= {"default": default, "description": "Time to wait for the answer, in seconds"}
    return found


def closed(*required: str, **properties: Schema) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others.

    :param required: names of properties that a client must give
    """
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def answer(**properties: Schema) -> dict[str, Any]:
    """Return the schema of an answer: all properties are there, and later releases may add others."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def nullable(kind: str) -> Schema:
    """Return the schema of a value that may be unknown."""
    return {"type": [kind, "null"]}


PAGE: Schema = closed(
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_PAGE,
        "default": MAX_PAGE,
        "description": "Maximum number of items",
    },
    marker={**NAME, "description": "Name of the last item of the page before"},
)

"""The versions of the HTTP API that this release serves."""

from __future__ import annotations

from typing import Any

from cells.api import microversion
from cells.api.route import ApiRequest
from cells.api.schemas import answer

VERSION = answer(
    id={"type": "string"},
    status={"enum": ["CURRENT"]},
    min_version={"type": "string"},
    max_version={"type": "string"},
    links={"type": "array", "items": answer(rel={"type": "string"}, href={"type": "string"})},
)


def list_versions(_request: ApiRequest) -> dict[str, Any]:
    """Return the versions."""
    return {"versions": [_version()]}


def show_version(_request: ApiRequest) -> dict[str, Any]:
    """Return version 1, whose operations have paths that begin with /v1."""
    return {"version": _version()}


def _version() -> dict[str, Any]:
    return {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": str(microversion.OLDEST),
        "max_version": str(microversion.NEWEST),
        "links": [{"rel": "self", "href": "/v1/"}],
    }

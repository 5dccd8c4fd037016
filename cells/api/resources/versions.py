"""The versions of the HTTP API that this release serves."""

from __future__ import annotations

from typing import Any

from cells.api.route import ApiRequest
from cells.api.schemas import answer

VERSIONS = {"type": "array", "items": answer(id={"type": "string"}, status={"type": "string"}, links={"type": "array"})}


def list_versions(_request: ApiRequest) -> dict[str, Any]:
    """Return the versions."""
    return {"versions": [{"id": "v1", "status": "CURRENT", "links": [{"rel": "self", "href": "/v1/"}]}]}

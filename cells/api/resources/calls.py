"""Calls of endpoints in other cells."""

from __future__ import annotations

from typing import Any

from cells.api.route import ApiRequest
from cells.api.schemas import CELL, answer, closed, timeout

BODY = closed(
    "cell",
    "method",
    cell=CELL,
    method={"type": "string", "minLength": 1, "maxLength": 255, "description": "Name of an endpoint of that cell"},
    arguments={"type": "object", "default": {}, "description": "Arguments of the endpoint by name"},
    timeout=timeout(None),
)
CALL = answer(cell={"type": "string"}, method={"type": "string"}, value={"description": "What the endpoint returned"})


def call(request: ApiRequest) -> dict[str, Any]:
    """Call an endpoint in another cell and wait for its value."""
    ctxt, body = request.context, request.body
    cell, method = body["cell"], body["method"]
    value = request.manager.ask(
        ctxt, lambda api: api.call(ctxt, cell, method, body.get("arguments"), timeout=body.get("timeout"))
    )
    return {"call": {"cell": cell, "method": method, "value": value}}

"""The tree of cells, the links of this cell, and probes of other cells."""

from __future__ import annotations

import time
from typing import Any

from cells.api.pagination import page_of
from cells.api.route import ApiRequest
from cells.api.schemas import answer, nullable

TOPOLOGY = answer(
    name={"type": "string"},
    path={"type": "string"},
    state={"type": "string"},
    is_self={"type": "boolean"},
    children={"type": "array", "items": {"type": "object"}, "description": "The cells below, in the same form"},
)
LINK = {
    **answer(
        name={"type": "string"},
        cell={"type": "string"},
        state=nullable("string"),
        problem=nullable("string"),
    ),
    "description": 'A neighbor with the columns of "cells neighbor status"',
}
PING = answer(
    cell={"type": "string"},
    path=nullable("string"),
    host=nullable("string"),
    version=nullable("string"),
    time_ms={"type": "number"},
)
TRACE = answer(
    cell={"type": "string"},
    events={"type": "array", "items": {"type": "object"}},
    error=nullable("string"),
)


def show_topology(request: ApiRequest) -> dict[str, Any]:
    """Return the tree from the top to all cells below this cell, which are asked now."""
    ctxt, seconds = request.context, request.query["timeout"]
    return {"topology": request.manager.ask(ctxt, lambda api: api.topology(ctxt, timeout=seconds))}


def list_links(request: ApiRequest) -> dict[str, Any]:
    """Return a page of the neighbors with the states of their links."""
    ctxt = request.context
    page, links = page_of(request.manager.ask(ctxt, lambda api: api.neighbors(ctxt)), request.query, "/v1/links")
    return {"links": page, "links_links": links}


def ping(request: ApiRequest) -> dict[str, Any]:
    """Measure how long the answer of another cell takes."""
    ctxt, cell, seconds = request.context, request.query["cell"], request.query["timeout"]

    def send(api: Any) -> tuple[Any, float]:
        started_at = time.perf_counter()
        value = api.call(ctxt, cell, "ping", timeout=seconds)
        return value, time.perf_counter() - started_at

    value, taken = request.manager.ask(ctxt, send)
    # The ping of another release may return any value.
    told = value if isinstance(value, dict) else {}
    known = {key: found if isinstance(found := told.get(key), str) else None for key in ("path", "host", "version")}
    return {"ping": {"cell": cell, **known, "time_ms": round(taken * 1000, 3)}}


def trace(request: ApiRequest) -> dict[str, Any]:
    """Return the events of a ping to another cell, in each cell on the way there and back."""
    ctxt, cell, seconds = request.context, request.query["cell"], request.query["timeout"]
    found = request.manager.ask(ctxt, lambda api: api.trace(ctxt, cell, timeout=seconds))
    return {
        "trace": {
            "cell": cell,
            "events": [event for event in found["events"] if isinstance(event, dict)],
            "error": found["error"],
        }
    }

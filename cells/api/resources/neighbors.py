"""Neighbors of this cell, and this cell itself, in the shapes of Nova's resource os-cells."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cells import exceptions
from cells.api.errors import ApiError
from cells.api.pagination import page_of
from cells.api.route import ApiRequest
from cells.api.schemas import CAPABILITIES, CAPACITIES, answer, nullable
from cells.transport import url as transport_url

CELL = answer(
    name={"type": "string"},
    type={"enum": ["parent", "child"]},
    rpc_host=nullable("string"),
    rpc_port=nullable("integer"),
    username=nullable("string"),
)
CELL_WITH_CAPABILITIES = {
    **CELL,
    "properties": {**CELL["properties"], "capabilities": CAPABILITIES},
    "required": [*CELL["required"], "capabilities"],
}
OWN_CELL = answer(
    name={"type": "string"},
    type={"const": "self"},
    rpc_host={"type": "null"},
    rpc_port={"type": "integer"},
    username={"type": "null"},
    capabilities=CAPABILITIES,
)
OWN_CAPACITIES = answer(capacities=CAPACITIES)


def list_cells(request: ApiRequest) -> dict[str, Any]:
    """Return a page of the neighbors."""
    page, links = page_of(_rows(request), request.query, "/v1/cells")
    return {"cells": [shown(row) for row in page], "cells_links": links}


def list_details(request: ApiRequest) -> dict[str, Any]:
    """Return a page of the neighbors with what each has announced."""
    page, links = page_of(_rows(request), request.query, "/v1/cells/detail")
    names = [row["name"] for row in page]
    known = request.manager.ask(request.context, lambda api: api.resources(request.context, names)) if names else {}
    cells = [{**shown(row), "capabilities": known.get(row["name"], {}).get("capabilities", {})} for row in page]
    return {"cells": cells, "cells_links": links}


def show_cell(request: ApiRequest) -> dict[str, Any]:
    """Return one neighbor."""
    return {"cell": shown(registered(request, request.path["name"]))}


def show_own_cell(request: ApiRequest) -> dict[str, Any]:
    """Return this cell, with the capabilities of it and of the cells below."""
    ctxt = request.context
    name, capabilities = request.manager.ask(ctxt, lambda api: (api.status(ctxt)["name"], api.capabilities(ctxt)))
    return {
        "cell": {
            "name": name,
            "type": "self",
            "rpc_host": None,
            "rpc_port": 0,
            "username": None,
            "capabilities": capabilities,
        }
    }


def show_own_capacities(request: ApiRequest) -> dict[str, Any]:
    """Return the free capacities of this cell and of the cells below."""
    ctxt = request.context
    return {"cell": {"capacities": request.manager.ask(ctxt, lambda api: api.capacities(ctxt))}}


def show_capacities(request: ApiRequest) -> dict[str, Any]:
    """Return the free capacities that one neighbor has announced."""
    ctxt, name = request.context, request.path["name"]
    known = request.manager.ask(ctxt, lambda api: api.resources(ctxt, [name]))
    if name not in known:
        raise _not_found(name)
    return {"cell": {"capacities": known[name]["capacities"]}}


def registered(request: ApiRequest, name: str) -> dict[str, Any]:
    """Return the neighbor of that name, as the manager knows it.

    :raises cells.api.errors.ApiError: 404
    """
    for row in _rows(request):
        if row["name"] == name:
            return row
    raise _not_found(name)


def _rows(request: ApiRequest) -> list[dict[str, Any]]:
    """Return the registered neighbors; cells that only send messages to this cell are no neighbors."""
    found = request.manager.ask(request.context, lambda api: api.neighbors(request.context))
    return [row for row in found if row["is_parent"] is not None]


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of os-cells: the login and the address of the first host of the neighbor's broker."""
    # The manager masks the passwords of the URL.
    try:
        hosts = transport_url.parse(row["transport_url"]).hosts
    except exceptions.InvalidNeighbor:
        hosts = ()
    first = hosts[0] if hosts else None
    return {
        "name": row["name"],
        "type": "parent" if row["is_parent"] else "child",
        "rpc_host": first.hostname if first else None,
        "rpc_port": first.port if first else None,
        "username": first.username if first else None,
    }


def _not_found(name: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, f"This cell has no neighbor {name:.200}.", type="NeighborNotFound")

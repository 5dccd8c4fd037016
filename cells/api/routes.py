"""The table of all operations of the HTTP API.

The application, the policy, the OpenAPI document and the tests are made from it: a new operation is one row here and
one function in :mod:`cells.api.resources`.
"""

from __future__ import annotations

from http import HTTPStatus
from importlib import metadata

from cells.api import openapi
from cells.api.pagination import LINKS
from cells.api.resources import calls, health, neighbors, registrations, tree, versions
from cells.api.route import Route, Schema
from cells.api.schemas import CELL, PAGE, answer, closed, timeout

#: Time for the first answers of a tree: a dashboard shows the cells that are known by then.
TOPOLOGY_SECONDS = 4.0
PROBE_SECONDS = 5.0

_PROBE = closed("cell", cell=CELL, timeout=timeout(PROBE_SECONDS))
_OTHER_CELL = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.NOT_IMPLEMENTED,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def _list(key: str, item: Schema) -> Schema:
    return answer(**{key: {"type": "array", "items": item}, f"{key}_links": LINKS})


ROUTES: tuple[Route, ...] = (
    Route(
        "versions:list",
        "GET",
        "/",
        "List the versions of this API.",
        versions.list_versions,
        answer(versions={"type": "array", "items": versions.VERSION}),
        role="",
    ),
    Route(
        "versions:show",
        "GET",
        "/v1/",
        "Show the microversions of this API.",
        versions.show_version,
        answer(version=versions.VERSION),
        role="",
    ),
    Route(
        "openapi:show",
        "GET",
        "/v1/openapi.json",
        "Show the description of this API, for generators of clients.",
        lambda _request: openapi.document(ROUTES, metadata.version("cells-intercell")),
        answer(openapi={"type": "string"}, info={"type": "object"}, paths={"type": "object"}),
        role="",
    ),
    Route(
        "cells:list",
        "GET",
        "/v1/cells",
        "List the neighbors of this cell.",
        neighbors.list_cells,
        _list("cells", neighbors.CELL),
        query=PAGE,
    ),
    Route(
        "cells:detail",
        "GET",
        "/v1/cells/detail",
        "List the neighbors of this cell with their capabilities.",
        neighbors.list_details,
        _list("cells", neighbors.CELL_WITH_CAPABILITIES),
        query=PAGE,
        statuses=(HTTPStatus.NOT_IMPLEMENTED,),
    ),
    Route(
        "cells:info",
        "GET",
        "/v1/cells/info",
        "Show this cell.",
        neighbors.show_own_cell,
        answer(cell=neighbors.OWN_CELL),
    ),
    Route(
        "cells:capacities",
        "GET",
        "/v1/cells/capacities",
        "Show the free capacities of this cell and the cells below.",
        neighbors.show_own_capacities,
        answer(cell=neighbors.OWN_CAPACITIES),
    ),
    Route(
        "cells:show",
        "GET",
        "/v1/cells/<name>",
        "Show one neighbor.",
        neighbors.show_cell,
        answer(cell=neighbors.CELL),
        statuses=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        "cells:create",
        "POST",
        "/v1/cells",
        "Register a neighbor of this cell.",
        registrations.create_cell,
        answer(cell=neighbors.CELL),
        role="admin",
        body=registrations.CREATE_BODY,
        statuses=(HTTPStatus.CONFLICT, HTTPStatus.NOT_IMPLEMENTED),
    ),
    Route(
        "cells:update",
        "PUT",
        "/v1/cells/<name>",
        "Change a neighbor of this cell.",
        registrations.update_cell,
        answer(cell=neighbors.CELL),
        role="admin",
        body=registrations.UPDATE_BODY,
        statuses=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED),
    ),
    Route(
        "cells:delete",
        "DELETE",
        "/v1/cells/<name>",
        "Delete a neighbor of this cell.",
        registrations.delete_cell,
        None,
        role="admin",
        statuses=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED),
    ),
    Route(
        "cells:sync_instances",
        "POST",
        "/v1/cells/sync_instances",
        "Tell all cells below to report their instances.",
        registrations.sync_instances,
        None,
        role="admin",
        body=registrations.SYNC_BODY,
    ),
    Route(
        "cells:show_capacities",
        "GET",
        "/v1/cells/<name>/capacities",
        "Show the free capacities that one neighbor has announced.",
        neighbors.show_capacities,
        answer(cell=neighbors.OWN_CAPACITIES),
        statuses=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED),
    ),
    Route(
        "topology:show",
        "GET",
        "/v1/topology",
        "Show the tree of cells, each with its state.",
        tree.show_topology,
        answer(topology=tree.TOPOLOGY),
        query=closed(timeout=timeout(TOPOLOGY_SECONDS)),
        statuses=(HTTPStatus.GATEWAY_TIMEOUT,),
    ),
    Route(
        "links:list",
        "GET",
        "/v1/links",
        "List the links to the neighbors, each with its state and its problem.",
        tree.list_links,
        _list("links", tree.LINK),
        query=PAGE,
    ),
    Route(
        "ping:send",
        "GET",
        "/v1/ping",
        "Measure how fast another cell answers.",
        tree.ping,
        answer(ping=tree.PING),
        query=_PROBE,
        statuses=_OTHER_CELL,
    ),
    Route(
        "trace:send",
        "GET",
        "/v1/trace",
        "Record the events of a ping on the way to another cell and back.",
        tree.trace,
        answer(trace=tree.TRACE),
        query=_PROBE,
        statuses=_OTHER_CELL,
    ),
    Route(
        "upgrade_matrix:show",
        "GET",
        "/v1/upgrade-matrix",
        "Show the version of the inter-cell API on each link of this cell and the cells below, and the caps.",
        health.show_upgrade_matrix,
        answer(upgrade_matrix=health.MATRIX),
        query=closed(timeout=timeout(TOPOLOGY_SECONDS)),
        statuses=(HTTPStatus.GATEWAY_TIMEOUT,),
    ),
    Route(
        "doctor:show",
        "GET",
        "/v1/doctor",
        "Examine this cell and its links for known faults.",
        health.show_doctor,
        answer(doctor=health.DOCTOR),
        query=closed(timeout=health.CHECK_TIMEOUT, tree=health.TREE),
    ),
    Route(
        "call:send",
        "POST",
        "/v1/call",
        "Call an endpoint of another cell.",
        calls.call,
        answer(call=calls.CALL),
        role="admin",
        body=calls.BODY,
        statuses=_OTHER_CELL,
    ),
)

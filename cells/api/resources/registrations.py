"""Changes of the registered neighbors, and the synchronization of instances, in the shapes of Nova's os-cells.

The manager writes its database.  A password passes through this module, and comes back in no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from oslo_utils import timeutils

from cells.api.errors import ApiError
from cells.api.resources.neighbors import registered, shown
from cells.api.route import ApiRequest
from cells.api.schemas import NAME, Schema, closed

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_PROPERTIES: dict[str, Schema] = {
    "name": NAME,
    "type": {"enum": ["parent", "child"]},
    "rpc_host": {**_TEXT, "description": "Name or address of the host of the neighbor's broker"},
    "rpc_port": {
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "pattern": "^[0-9]{1,5}$"}]
    },
    "username": {**_TEXT},
    "password": {**_TEXT, "writeOnly": True, "description": "Password of the neighbor's broker; no answer shows it"},
    "rpc_virtual_host": {**_TEXT},
    "transport_url": {
        "type": "string",
        "minLength": 1,
        "maxLength": 4096,
        "writeOnly": True,
        "description": "In place of the rpc_* properties, username and password; no answer shows its password",
    },
    "weight_offset": {"type": "number"},
    "weight_scale": {"type": "number"},
}
CREATE_BODY = closed("cell", cell=closed("name", **_PROPERTIES))
UPDATE_BODY = closed("cell", cell={**closed(**_PROPERTIES), "minProperties": 1})
#: The values that Nova takes for a boolean.
_TRUE = ("true", "1", "on", "yes")
_FALSE = ("false", "0", "off", "no")
SYNC_BODY = closed(
    project_id={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-]*$"},
    updated_since={
        "type": "string",
        "maxLength": 64,
        "format": "date-time",
        "description": "Time in the notation of ISO 8601: instances that have not changed since then are left out",
    },
    deleted={
        "anyOf": [{"type": "boolean"}, {"enum": [word.title() for word in _TRUE + _FALSE] + [*_TRUE, *_FALSE]}],
        "description": "Whether deleted instances are synchronized, too",
    },
)

#: key of os-cells -> part of the transport URL
_PARTS = {
    "rpc_host": "hostname",
    "rpc_port": "port",
    "username": "username",
    "password": "password",
    "rpc_virtual_host": "virtual_host",
}
_COLUMNS = ("transport_url", "weight_offset", "weight_scale")


def create_cell(request: ApiRequest) -> dict[str, Any]:
    """Register a neighbor, by default a child."""
    ctxt, cell = request.context, request.body["cell"]
    columns, broker = {"is_parent": False, **_columns(cell)}, _broker(cell)
    row = request.manager.ask(ctxt, lambda api: api.create_neighbor(ctxt, cell["name"], columns, broker))
    return {"cell": shown(row)}


def update_cell(request: ApiRequest) -> dict[str, Any]:
    """Change a neighbor; properties that the body lacks stay."""
    ctxt, cell, name = request.context, request.body["cell"], request.path["name"]
    if cell.get("name", name) != name:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "body.cell.name: a neighbor cannot get another name; delete it and create another one.",
            field="body.cell.name",
        )
    columns, broker = _columns(cell), _broker(cell)
    if not columns and not broker:
        return {"cell": shown(registered(request, name))}
    row = request.manager.ask(ctxt, lambda api: api.update_neighbor(ctxt, name, columns, broker))
    return {"cell": shown(row)}


def delete_cell(request: ApiRequest) -> None:
    """Delete a neighbor."""
    ctxt, name = request.context, request.path["name"]
    request.manager.ask(ctxt, lambda api: api.delete_neighbor(ctxt, name))


def sync_instances(request: ApiRequest) -> None:
    """Tell all cells below to report their instances to the cells above.

    The cells of Nova have the method, and services of other cells may offer an endpoint of that name.
    """
    ctxt, body = request.context, request.body
    since, is_deleted = body.get("updated_since"), body.get("deleted", False)
    if since is not None:
        try:
            timeutils.parse_isotime(since)
        except (ValueError, OverflowError):
            raise ApiError(
                HTTPStatus.BAD_REQUEST, "body.updated_since: this is no time of ISO 8601.", field="body.updated_since"
            ) from None
    arguments = {
        "project_id": body.get("project_id"),
        "updated_since": since,
        "deleted": is_deleted if isinstance(is_deleted, bool) else is_deleted.lower() in _TRUE,
    }
    request.manager.ask(
        ctxt, lambda api: api.broadcast_cast(ctxt, "sync_instances", arguments, direction="down", run_locally=False)
    )


def _columns(cell: Mapping[str, Any]) -> dict[str, Any]:
    found = {column: cell[column] for column in _COLUMNS if column in cell}
    return {**found, "is_parent": cell["type"] == "parent"} if "type" in cell else found


def _broker(cell: Mapping[str, Any]) -> dict[str, Any]:
    found = {part: cell[key] for key, part in _PARTS.items() if key in cell}
    if found and "transport_url" in cell:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "body.cell.transport_url: give the broker as a transport URL or by its parts, not both.",
            field="body.cell.transport_url",
        )
    if "port" in found:
        found["port"] = int(found["port"])
    return found

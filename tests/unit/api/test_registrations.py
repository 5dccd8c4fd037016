"""Creation, change and deletion of neighbors, and sync_instances, as clients of Nova's os-cells send them."""

from __future__ import annotations

from typing import Any

from werkzeug.test import Client

from cells import exceptions
from tests.cases import each
from tests.unit.api.conftest import ADMIN, READER, Manager, post

HEADERS = {"X-Auth-Token": ADMIN}
CELL = {
    "name": "north",
    "type": "parent",
    "rpc_host": "broker.north",
    "rpc_port": 5671,
    "username": "ada",
    "password": "secret",
    "rpc_virtual_host": "v",
}


def put(client: Client, name: str, cell: Any, token: str = ADMIN) -> Any:
    return client.put(f"/v1/cells/{name}", json={"cell": cell}, headers={"X-Auth-Token": token})


def test_create_has_the_shape_of_os_cells(client: Client, manager: Manager) -> None:
    response = post(client, "/v1/cells", {"cell": CELL})
    assert (response.status_code, response.json) == (
        200,
        {"cell": {key: CELL[key] for key in ("name", "type", "rpc_host", "rpc_port", "username")}},
    )
    name, columns, broker = manager.last("create_neighbor")[2]
    assert (name, columns) == ("north", {"is_parent": True})
    assert broker == {
        "hostname": "broker.north",
        "port": 5671,
        "username": "ada",
        "password": "secret",
        "virtual_host": "v",
    }


def test_a_neighbor_is_a_child_by_default_and_a_port_may_be_a_text(client: Client, manager: Manager) -> None:
    post(client, "/v1/cells", {"cell": {"name": "az1", "rpc_host": "h", "rpc_port": "5672", "weight_scale": 2}})
    assert manager.last("create_neighbor")[2] == (
        "az1",
        {"is_parent": False, "weight_scale": 2},
        {"hostname": "h", "port": 5672},
    )


def test_update_sends_only_what_is_given(client: Client, manager: Manager) -> None:
    response = put(client, "north", {"password": "secret", "weight_offset": 1.5})
    assert response.json["cell"]["name"] == "north"
    assert "secret" not in response.text
    assert manager.last("update_neighbor")[2] == ("north", {"weight_offset": 1.5}, {"password": "secret"})


def test_update_with_nothing_to_change_shows_the_cell(client: Client) -> None:
    assert put(client, "east", {"name": "east"}).json["cell"]["name"] == "east"
    assert put(client, "east", {"name": "west"}).json["error"]["field"] == "body.cell.name"
    assert put(client, "nowhere", {"name": "nowhere"}).status_code == 404


def test_delete_and_sync_answer_without_a_body(client: Client, manager: Manager) -> None:
    deleted = client.delete("/v1/cells/east", headers=HEADERS)
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert manager.last("delete_neighbor")[2] == ("east",)
    synchronized = post(client, "/v1/cells/sync_instances", {})
    assert (synchronized.status_code, synchronized.data) == (204, b"")


@each(
    ("body", "sent"),
    [
        ({}, {"project_id": None, "updated_since": None, "deleted": False}),
        (
            {"project_id": "p-1", "updated_since": "2026-01-02T03:04:05Z", "deleted": "True"},
            {"project_id": "p-1", "updated_since": "2026-01-02T03:04:05Z", "deleted": True},
        ),
        ({"deleted": "off"}, {"project_id": None, "updated_since": None, "deleted": False}),
    ],
)
def test_sync_is_a_broadcast_to_the_cells_below(
    client: Client, manager: Manager, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert post(client, "/v1/cells/sync_instances", body).status_code == 204
    _, _, arguments, options = manager.last("broadcast_cast")
    assert (arguments, options) == (("sync_instances", sent), {"direction": "down", "run_locally": False})


@each(
    ("path", "body", "field"),
    [
        ("/v1/cells", {"cell": {"rpc_host": "h"}}, "body.cell"),
        ("/v1/cells", {"cell": {**CELL, "type": "sibling"}}, "body.cell.type"),
        ("/v1/cells", {"cell": {**CELL, "rpc_port": 70000}}, "body.cell.rpc_port"),
        ("/v1/cells", {"cell": {**CELL, "rpc_port": "x"}}, "body.cell.rpc_port"),
        ("/v1/cells", {"cell": {**CELL, "transport_url": "rabbit://h/"}}, "body.cell.transport_url"),
        ("/v1/cells", {"cell": {**CELL, "color": "red"}}, "body.cell"),
        ("/v1/cells", {"cell": {**CELL, "password": 1}}, "body.cell.password"),
        ("/v1/cells", {"cell": {**CELL, "password": "secret" * 50}}, "body.cell.password"),
        ("/v1/cells", {"cell": {**CELL, "password": ["secret"]}}, "body.cell.password"),
        ("/v1/cells", {"cell": {**CELL, "transport_url": ["secret"]}}, "body.cell.transport_url"),
        ("/v1/cells/sync_instances", {"deleted": "maybe"}, "body.deleted"),
        ("/v1/cells/sync_instances", {"deleted": 1}, "body.deleted"),
        ("/v1/cells/sync_instances", {"updated_since": "yesterday"}, "body.updated_since"),
        ("/v1/cells/sync_instances", {"project_id": "a b"}, "body.project_id"),
    ],
)
def test_wrong_bodies_name_the_field_and_show_no_password(
    client: Client, path: str, body: dict[str, Any], field: str
) -> None:
    response = post(client, path, body)
    assert (response.status_code, response.json["error"]["field"]) == (400, field)
    assert "secret" not in response.text


@each(
    ("raised", "status"),
    [
        (exceptions.NeighborExists("there is one"), 409),
        (exceptions.InvalidNeighbor("wrong"), 400),
        (exceptions.NeighborsReadOnly("a file"), 403),
        (exceptions.DatabaseUnavailable("away"), 503),
        (exceptions.RPCVersionCapError("cap"), 501),
        (exceptions.ManagerBusy("busy"), 503),
    ],
)
def test_errors_of_a_change_have_a_status(client: Client, manager: Manager, raised: Exception, status: int) -> None:
    manager.answers["create_neighbor"] = raised
    assert post(client, "/v1/cells", {"cell": CELL}).status_code == status


def test_a_missing_neighbor_cannot_be_deleted(client: Client, manager: Manager) -> None:
    manager.answers["delete_neighbor"] = exceptions.NeighborNotFound("none")
    assert client.delete("/v1/cells/nowhere", headers=HEADERS).status_code == 404


def test_the_manager_is_not_asked_about_a_name_that_no_cell_can_have(client: Client, manager: Manager) -> None:
    path = f"/v1/cells/{'a' * 300}"
    assert client.delete(path, headers=HEADERS).status_code == 404
    assert client.delete(path).status_code == 401
    assert not manager.requests


def test_readers_change_nothing(client: Client, manager: Manager) -> None:
    assert post(client, "/v1/cells", {"cell": CELL}, READER).status_code == 403
    assert put(client, "east", {"weight_scale": 1}, READER).status_code == 403
    assert client.delete("/v1/cells/east", headers={"X-Auth-Token": READER}).status_code == 403
    assert post(client, "/v1/cells/sync_instances", {}, READER).status_code == 403
    assert not [name for name, *_ in manager.requests if name not in ("status",)]

"""The HTTP API on a tree of real cells."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import Client

from cells.api import deployment
from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import CellTree, wait_for

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


@pytest.fixture
def tree(cell_tree: Callable[..., CellTree]) -> CellTree:
    return cell_tree(SHAPE, services=True, options={"cells_api": {"auth": "noauth", "manager_timeout": 1.0}})


@pytest.fixture
def client(tree: CellTree) -> Iterator[Client]:
    built = deployment.build(tree["api"].conf)
    yield Client(built.application)
    built.close()


def get(client: Client, path: str) -> Any:
    return client.get(path, environ_overrides=LOCAL)


def test_operations(client: Client) -> None:
    assert [cell["name"] for cell in get(client, "/v1/cells").json["cells"]] == ["east", "west"]
    assert get(client, "/v1/cells/east").json["cell"]["type"] == "child"
    assert [cell["capabilities"] for cell in get(client, "/v1/cells/detail").json["cells"]] == [{}, {}]
    assert get(client, "/v1/cells/info").json["cell"]["name"] == "api"
    assert get(client, "/v1/cells/capacities").json == {"cell": {"capacities": {}}}
    assert get(client, "/v1/cells/east/capacities").json == {"cell": {"capacities": {}}}
    topology = get(client, "/v1/topology").json["topology"]
    assert sorted(child["name"] for child in topology["children"]) == ["east", "west"]
    assert {link["state"] for link in get(client, "/v1/links").json["links"]} == {"up"}
    assert get(client, "/v1/ping?cell=az1").json["ping"]["path"] == "api!east!az1"
    assert get(client, "/v1/trace?cell=az1").json["trace"]["events"]


def test_the_upgrade_matrix_has_the_links_of_the_tree(client: Client) -> None:
    rows = get(client, "/v1/upgrade-matrix").json["upgrade_matrix"]
    assert sorted((row["cell"], row["neighbor"], row["type"]) for row in rows) == [
        ("api", "east", "child"),
        ("api", "west", "child"),
        ("api!east", "api", "parent"),
        ("api!east", "az1", "child"),
        ("api!east!az1", "east", "parent"),
        ("api!west", "api", "parent"),
    ]
    assert {row["spoken"] for row in rows} == {rows[0]["reads"]}


def test_calls(client: Client) -> None:
    def call(**body: Any) -> Any:
        return client.post("/v1/call", json=body, environ_overrides=LOCAL)

    assert call(cell="az1", method="ping").json["call"]["value"]["path"] == "api!east!az1"
    assert call(cell="nowhere", method="ping").status_code == 404
    assert call(cell="az1", method="no_such_method").status_code == 404
    assert call(cell="az1", method="ping", arguments={"x": 1}).status_code == 400


def test_the_ids_of_a_request_reach_the_other_cell(cell_tree: Callable[..., CellTree]) -> None:
    @endpoint
    def ids(call: Call) -> list[str | None]:
        return [call.context.request_id, call.context.global_request_id]

    tree = cell_tree(SHAPE, services=True, endpoints=[ids], options={"cells_api": {"auth": "noauth"}})
    with contextlib.closing(deployment.build(tree["api"].conf)) as built:
        given = "req-01234567-89ab-cdef-0123-456789abcdef"
        response = Client(built.application).post(
            "/v1/call",
            json={"cell": "az1", "method": "ids"},
            headers={"X-OpenStack-Request-ID": given},
            environ_overrides=LOCAL,
        )
    assert response.json["call"]["value"] == [response.headers["X-OpenStack-Request-ID"], given]


def test_without_a_manager_the_service_is_unavailable(tree: CellTree, client: Client) -> None:
    assert get(client, "/v1/links").status_code == 200
    tree["api"].stop()
    response = get(client, "/v1/ping?cell=az1")
    assert (response.status_code, response.json["error"]["title"]) == (503, "Service Unavailable")


def test_neighbors_are_created_changed_and_deleted(
    tree: CellTree, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cell = {"name": "north", "rpc_host": "127.0.0.1", "rpc_port": 1, "username": "ada", "password": "s3cr3t-word"}
    created = client.post("/v1/cells", json={"cell": cell}, environ_overrides=LOCAL)
    assert (created.status_code, created.json["cell"]["type"]) == (200, "child"), created.text
    # The manager reads its neighbors before it answers.
    assert [found["name"] for found in get(client, "/v1/cells").json["cells"]] == ["east", "north", "west"]
    assert client.post("/v1/cells", json={"cell": cell}, environ_overrides=LOCAL).status_code == 409
    change = {"cell": {"rpc_port": 2, "type": "parent"}}
    changed = client.put("/v1/cells/north", json=change, environ_overrides=LOCAL).json["cell"]
    assert (changed["rpc_port"], changed["type"], changed["username"]) == (2, "parent", "ada")
    assert tree["api"].database.get("north").transport_url == "rabbit://ada:s3cr3t-word@127.0.0.1:2/"
    wrong = {"cell": {"rpc_host": "a b", "password": "s3cr3t-word"}}
    refused = client.put("/v1/cells/north", json=wrong, environ_overrides=LOCAL)
    assert refused.status_code == 400
    assert client.delete("/v1/cells/north", environ_overrides=LOCAL).status_code == 204
    assert client.delete("/v1/cells/north", environ_overrides=LOCAL).status_code == 404
    assert get(client, "/v1/cells/north").status_code == 404
    answers = (created.text, refused.text, str(changed), caplog.text)
    assert not [text for text in answers if "s3cr3t-word" in text]


def test_instances_are_synchronized_in_all_cells_below(cell_tree: Callable[..., CellTree]) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    @endpoint
    def sync_instances(call: Call, **arguments: Any) -> None:
        heard.append((call.cell.name, arguments))

    options = {"cells_api": {"auth": "noauth"}}
    tree = cell_tree(SHAPE, services=True, endpoints=[sync_instances], options=options)
    built = deployment.build(tree["api"].conf)
    body = {"project_id": "p", "deleted": True}
    response = Client(built.application).post("/v1/cells/sync_instances", json=body, environ_overrides=LOCAL)
    assert response.status_code == 204, response.text
    wait_for(lambda: len(heard) == 3, "the cells below have been told")
    assert sorted(name for name, _ in heard) == ["az1", "east", "west"]
    assert heard[0][1] == {"project_id": "p", "updated_since": None, "deleted": True}
    built.close()

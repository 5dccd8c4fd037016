"""The HTTP API on a tree of real cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import Client

from cells.api import deployment
from tests.functional.cell_tree import CellTree

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


def test_calls(client: Client) -> None:
    def call(**body: Any) -> Any:
        return client.post("/v1/call", json=body, environ_overrides=LOCAL)

    assert call(cell="az1", method="ping").json["call"]["value"]["path"] == "api!east!az1"
    assert call(cell="nowhere", method="ping").status_code == 404
    assert call(cell="az1", method="no_such_method").status_code == 404
    assert call(cell="az1", method="ping", arguments={"x": 1}).status_code == 400


def test_without_a_manager_the_service_is_unavailable(tree: CellTree, client: Client) -> None:
    assert get(client, "/v1/links").status_code == 200
    tree["api"].stop()
    response = get(client, "/v1/ping?cell=az1")
    assert (response.status_code, response.json["error"]["title"]) == (503, "Service Unavailable")

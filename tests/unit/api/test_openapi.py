"""The OpenAPI document is valid, has every route, and is public."""

from __future__ import annotations

import openapi_spec_validator
from werkzeug.test import Client

from cells.api.routes import ROUTES


def test_the_document_is_valid_and_has_every_route(client: Client) -> None:
    response = client.get("/v1/openapi.json")
    assert response.status_code == 200
    openapi_spec_validator.validate(response.json)
    described = {
        (method.upper(), path): operation
        for path, operations in response.json["paths"].items()
        for method, operation in operations.items()
    }
    assert {key: operation["operationId"] for key, operation in described.items()} == {
        (route.method, route.path.replace("<", "{").replace(">", "}")): route.name for route in ROUTES
    }


def test_operations_say_who_may_use_them_and_what_they_read(client: Client) -> None:
    paths = client.get("/v1/openapi.json").json["paths"]
    assert paths["/"]["get"]["security"] == []
    ping, call = paths["/v1/ping"]["get"], paths["/v1/call"]["post"]
    assert ping["security"] == [{"token": []}, {"bearer": []}]
    assert [(found["name"], found["in"], found["required"]) for found in ping["parameters"]] == [
        ("cell", "query", True),
        ("timeout", "query", False),
        ("OpenStack-API-Version", "header", False),
    ]
    assert "503" in ping["responses"]
    assert call["requestBody"]["content"]["application/json"]["schema"]["required"] == ["cell", "method"]
    assert paths["/v1/cells/{name}"]["get"]["parameters"][0]["in"] == "path"

"""Requests and answers have the shapes of the API documents of Nova's os-cells: the same keys, with the same types.

The files in ``os_cells`` are these shapes: a text names types or constants, ``*`` stands for any key.  Further keys of
an answer do not disturb a client; an answer without one of these does.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
from werkzeug.test import Client

from tests.cases import each
from tests.unit.api.conftest import ADMIN, Manager, get, post, row

SHAPES = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "os_cells").glob("*.json")}
TYPES = ("string", "integer", "null")
#: An example for each word of a request.
EXAMPLES = {
    "string": "a-1",
    "integer": 5672,
    "boolean": True,
    "word": "True",
    "time": "2026-01-02T03:04:05Z",
    "parent": "parent",
    "child": "child",
}


def schema_of(shape: Any) -> dict[str, Any]:
    """Return the JSON schema of a shape."""
    if isinstance(shape, str):
        return {"anyOf": [{"type": word} if word in TYPES else {"const": word} for word in shape.split("|")]}
    if isinstance(shape, list):
        return {"type": "array", "items": schema_of(shape[0])} if shape else {"type": "array", "maxItems": 0}
    if "*" in shape:
        return {"type": "object", "additionalProperties": schema_of(shape["*"])}
    return {
        "type": "object",
        "properties": {key: schema_of(inner) for key, inner in shape.items()},
        "required": list(shape),
    }


def problems(shape: Any, value: Any) -> list[str]:
    """Return the differences between a shape and a value."""
    return [error.message for error in jsonschema.Draft202012Validator(schema_of(shape)).iter_errors(value)]


def bodies(shape: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield requests of a shape, each with other types."""
    inner = shape.get("cell", shape)
    for words in itertools.zip_longest(*(text.split("|") for text in inner.values())):
        values = {key: EXAMPLES[word or inner[key].split("|")[0]] for key, word in zip(inner, words, strict=True)}
        if values.get("rpc_port") == EXAMPLES["string"]:
            values["rpc_port"] = "5672"
        yield {"cell": values} if "cell" in shape else values


CAPACITIES = {
    "ram_free": {"units_by_mb": {"8192": 0, "512": 13}, "total_mb": 7680},
    "disk_free": {"units_by_mb": {"81920": 11}, "total_mb": 1052672},
}


@each(
    ("path", "shape"),
    [
        ("/v1/cells", "list"),
        ("/v1/cells/detail", "detail"),
        ("/v1/cells/east", "show"),
        ("/v1/cells/info", "info"),
        ("/v1/cells/capacities", "capacities"),
        ("/v1/cells/east/capacities", "capacities"),
    ],
)
def test_answers(client: Client, manager: Manager, path: str, shape: str) -> None:
    manager.answers["capacities"] = CAPACITIES
    manager.answers["resources"]["east"]["capacities"] = CAPACITIES
    manager.answers["neighbors"] = [row("top", is_parent=True), row("east"), row("zmq", url="zmq+ipc:///run/cells")]
    assert problems(SHAPES[shape], get(client, path).json) == []


def test_an_empty_list(client: Client, manager: Manager) -> None:
    manager.answers["neighbors"] = []
    for path in ("/v1/cells", "/v1/cells/detail"):
        assert problems(SHAPES["list-empty"], get(client, path).json) == []


@each(
    ("method", "path", "request_shape", "answer_shape"),
    [
        ("POST", "/v1/cells", "create-request", "show"),
        ("PUT", "/v1/cells/north", "update-request", "show"),
        ("POST", "/v1/cells/sync_instances", "sync-request", ""),
    ],
)
def test_requests(client: Client, method: str, path: str, request_shape: str, answer_shape: str) -> None:
    for body in bodies(SHAPES[request_shape]):
        response = client.open(path, method=method, json=body, headers={"X-Auth-Token": ADMIN})
        if answer_shape:
            assert response.status_code == 200, response.text
            assert problems(SHAPES[answer_shape], response.json) == []
        else:
            assert (response.status_code, response.data) == (204, b"")


def test_a_shape_finds_differences() -> None:
    assert problems(SHAPES["list"], {"cells": [{"name": 1, "type": "sibling"}]}) != []
    assert problems(SHAPES["info"], {"cell": []}) != []
    assert problems(SHAPES["list-empty"], {"cells": [{}]}) != []


def test_a_client_of_nova_reads_the_name_of_a_new_cell(client: Client) -> None:
    created = post(client, "/v1/cells", {"cell": {"name": "north", "rpc_host": "h", "username": "u", "password": "p"}})
    assert created.json["cell"]["name"] == "north"

"""Contexts: an endpoint sees the user and the route of a message; relays forward unknown keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cells.endpoints import Call, endpoint
from tests.cases import each
from tests.functional.cell_tree import CellTree

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
CONTEXT = {
    "user": "ada",
    "user_id": "ada",
    "project_id": "engines",
    "roles": ["admin", "Größe"],
    "request_id": "req-1",
    "is_admin": True,
    "quota_class": "large",
    "service_catalog": [{"type": "compute", "endpoints": []}],
    "key_of_a_later_release": {"nested": [1, None, {"deep": "ü"}]},
    "": "nameless",
}


@endpoint
def look(call: Call, colour: str = "none") -> dict[str, Any]:
    context = call.context
    return {
        "raw": dict(call.context_values),
        "rebuilt": context.to_dict(),
        "user": context.user_id,
        "project": context.project_id,
        "is_admin": context.is_admin,
        "roles": context.roles,
        "route": list(call.route),
        "type": call.message_type,
        "method": call.method,
        "arguments": dict(call.arguments),
        "cell": call.cell.name,
    }


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[look]) as tree:
        yield tree


@each(("source", "target"), [("api", "az1"), ("az1", "api!west"), ("east", "east")])
def test_context_arrives_untouched(tree: CellTree, source: str, target: str) -> None:
    seen = tree[source].call(target, "look", ctxt=CONTEXT)
    assert seen["raw"] == CONTEXT
    assert {key: seen["rebuilt"][key] for key in CONTEXT} == CONTEXT
    assert (seen["user"], seen["project"], seen["is_admin"]) == ("ada", "engines", True)
    assert seen["roles"] == ["admin", "Größe"]


def test_context_may_be_empty(tree: CellTree) -> None:
    seen = tree["api"].call("az1", "look", ctxt={})
    assert seen["raw"] == {}
    assert seen["user"] is None


@each(
    ("source", "target", "route"),
    [
        ("api", "az1", ["api", "east", "az1"]),
        ("az1", "api!west", ["az1", "east", "api", "west"]),
        ("east", "east", ["east"]),
    ],
)
def test_a_call_has_its_route(tree: CellTree, source: str, target: str, route: list[str]) -> None:
    seen = tree[source].call(target, "look", kwargs={"colour": "red"})
    assert seen["route"] == route
    assert (seen["type"], seen["method"], seen["cell"]) == ("targeted", "look", route[-1])
    assert seen["arguments"] == {"colour": "red"}


def test_a_broadcast_carries_the_context_to_every_cell(tree: CellTree) -> None:
    answers = tree["api"].broadcast("look")
    assert {way: answer.value["route"] for way, answer in answers.items()} == {way: way.split("!") for way in answers}
    assert {answer.value["type"] for answer in answers.values()} == {"broadcast"}
    assert len(answers) == 4


@each(
    "context",
    [
        pytest.param({"roles": 7, "user_id": {"a": 1}, "is_admin": "maybe"}, id="wrong-types"),
        pytest.param({"service_catalog": "none", "timestamp": 3}, id="more-wrong-types"),
        pytest.param({"extra": {"x": 1}, "overwrite": True, "self": 1, "args": [], "values": {}}, id="our-own-words"),
    ],
)
def test_a_context_with_unknown_keys_is_forwarded_unchanged(tree: CellTree, context: dict[str, Any]) -> None:
    assert tree["api"].call("az1", "look", ctxt=context)["raw"] == context

"""The decorator @endpoint, and the Call that an endpoint gets."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.context import RequestContext
from cells.endpoints import Call, endpoint
from cells.endpoints.base import EndpointMark, mark_of
from cells.path import CellPath
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory


def make_call(route: str = "api!east", **changed: Any) -> Call:
    with CellInMemory("east") as cell:
        fields: dict[str, Any] = {
            "cell": cell.cell,
            "method": "ping",
            "arguments": {},
            "message_type": "targeted",
            "route": CellPath.parse(route),
            "response_to": None,
            "context_values": {},
            **changed,
        }
        return Call(**fields)


def test_the_decorator_marks_and_returns_the_function() -> None:
    def disk_usage(call: Call) -> int:
        return 5

    marked = endpoint(disk_usage)
    assert marked is disk_usage
    assert mark_of(marked) == EndpointMark("disk_usage", ("targeted", "broadcast"))
    assert marked(make_call()) == 5


def test_name_and_types_can_be_given() -> None:
    @endpoint(name="usage", accepts=["broadcast"])
    def disk_usage(call: Call) -> None: ...

    assert mark_of(disk_usage) == EndpointMark("usage", ("broadcast",))


@each("candidate", [None, 5, len, object(), Call, "ping", make_call])
def test_nothing_else_is_marked(candidate: object) -> None:
    assert mark_of(candidate) is None


def test_a_faked_mark_is_ignored() -> None:
    def impostor(call: Call) -> None: ...

    impostor.__cells_endpoint__ = "ping"  # type: ignore[attr-defined]
    assert mark_of(impostor) is None


def test_context_of_a_call() -> None:
    call = make_call(context_values={"user": "ann", "unknown": 1})
    assert isinstance(call.context, RequestContext)
    assert (call.context.user_id, call.context.extra) == ("ann", {"unknown": 1})
    assert call.context is call.context


def test_a_neighbor_is_believed_about_itself() -> None:
    assert make_call("api!east").told_by("api") == "api"


@each(
    ("route", "name"),
    [
        *(("api!east", "west"), ("api!east", "east"), ("east", "east"), ("a!b", "")),
        *(("top!api!east", "top"), ("top!api!east", "api")),
    ],
)
def test_a_neighbor_is_not_believed_about_others(route: str, name: str) -> None:
    with pytest.raises(exceptions.InvalidArguments) as caught:
        make_call(route).told_by(name)
    assert caught.value.method == "ping"

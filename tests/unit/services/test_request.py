"""ServiceRequest: its form on the wire, and the refusal of invalid requests of a peer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cells import exceptions
from cells.services.request import ServiceRequest
from cells.services.validation import MAX_NAME_BYTES
from tests.cases import each

FULL = ServiceRequest(
    topic="inventory",
    method="count",
    args={"kind": "disk", "limits": {"min": 1}},
    exchange="warehouse",
    namespace="admin",
    version="1.2",
    server="host-1",
    fanout=True,
    monitor_seconds=10.0,
    at_least_once=True,
)
FEW = ServiceRequest(topic="inventory", method="count")


def request(*, target: Any = None, message: Any = None, **others: Any) -> dict[str, Any]:
    """Return a request as it travels, with the changes of a faulty peer."""
    return {
        "target": {"topic": "inventory", **(target or {})},
        "message": {"method": "count", "args": {}, **(message or {})},
        **others,
    }


@pytest.mark.parametrize("sent", [FULL, FEW], ids=["full", "few"])
def test_a_request_survives_the_wire(sent: ServiceRequest) -> None:
    assert ServiceRequest.from_dict(json.loads(json.dumps(sent.to_dict()))) == sent


def test_the_form_on_the_wire() -> None:
    assert FULL.to_dict() == {
        "target": {"topic": "inventory", "exchange": "warehouse", "server": "host-1", "fanout": True},
        "monitor_seconds": 10.0,
        "at_least_once": True,
        "message": {
            "oslo.version": "2.0",
            "oslo.message": '{"method": "count", "args": {"kind": "disk", "limits": {"min": 1}}, '
            '"namespace": "admin", "version": "1.2"}',
        },
    }


def test_defaults_are_left_out() -> None:
    assert FEW.to_dict() == {
        "target": {"topic": "inventory"},
        "message": {"oslo.version": "2.0", "oslo.message": '{"method": "count", "args": {}}'},
    }


def test_names() -> None:
    assert str(FULL) == "inventory:admin.count"
    assert str(FEW) == "inventory:count"


def test_unknown_keys_are_ignored() -> None:
    assert ServiceRequest.from_dict(request(target={"later": 1}, message={"later": 2}, later=3)) == FEW


def test_a_message_without_an_envelope_is_read() -> None:
    assert ServiceRequest.from_dict(request(message={"args": {"kind": "disk"}})).args == {"kind": "disk"}


WRONG_NAMES = [
    "",
    7,
    True,
    [],
    {},
    b"count",
    "two\nlines",
    "nul\0",
    "\ud800",
    "\u2028",
    "x" * (MAX_NAME_BYTES + 1),
    "ö" * 128,
]


@each("name", WRONG_NAMES, ids=ascii)
@each("key", ["topic", "exchange", "server"])
def test_an_invalid_name_in_the_target_is_refused(key: str, name: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match=key) as caught:
        ServiceRequest.from_dict(request(target={key: name}))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@each("name", WRONG_NAMES, ids=ascii)
@each("key", ["method", "namespace", "version"])
def test_an_invalid_name_in_the_message_is_refused(key: str, name: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match=key):
        ServiceRequest.from_dict(request(message={key: name}))


@pytest.mark.parametrize("key", ["topic", "method"])
def test_a_missing_key_is_refused(key: str) -> None:
    data = request()
    del data["target" if key == "topic" else "message"][key]
    with pytest.raises(exceptions.MalformedMessage, match=key):
        ServiceRequest.from_dict(data)


@each("data", [None, 7, "text", [], {}, {"target": []}, {"target": {"topic": "a"}, "message": "m"}])
def test_an_invalid_request_is_refused(data: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        ServiceRequest.from_dict(data)


@each(
    "others",
    [{"target": {"fanout": 1}}, {"target": {"fanout": None}}, {"at_least_once": "yes"}, {"message": {"args": [1]}}],
    ids=str,
)
def test_a_value_of_a_wrong_type_is_refused(others: dict[str, Any]) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        ServiceRequest.from_dict(request(**others))


@each(
    "seconds",
    [0, -1, -0.0, True, "1", [], float("nan"), float("inf"), -float("inf"), 1e308, pytest.param(10**400, id="long")],
)
def test_invalid_monitor_seconds_are_refused(seconds: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match="monitor_seconds") as caught:
        ServiceRequest.from_dict(request(monitor_seconds=seconds))
    assert len(str(caught.value)) < 250


@each(("seconds", "read"), [(None, None), (3, 3.0), (1e-300, 1e-300), (600, 600.0)])
def test_monitor_seconds_are_read_as_a_float(seconds: Any, read: float | None) -> None:
    assert ServiceRequest.monitor_of({"monitor_seconds": seconds}) == read


def test_arguments_without_a_json_form_are_refused() -> None:
    with pytest.raises(exceptions.InvalidArguments):
        ServiceRequest(topic="a", method="b", args={"c": object()}).to_dict()

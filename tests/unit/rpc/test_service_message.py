from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from cells import exceptions
from cells.rpc.service_message import ServiceMessage
from tests.cases import each


@each(
    "msg",
    [
        {"method": "count", "args": {}},
        {"method": "count", "args": {"kind": ["disk", None]}},
        {"method": "count", "args": {}, "namespace": "admin", "version": "1.10"},
    ],
)
def test_reading_a_message_does_not_change_it(msg: dict[str, Any]) -> None:
    before = {**msg, "args": dict(msg["args"])}
    assert ServiceMessage.read(MappingProxyType(msg)).to_dict() == before
    assert msg == before


def test_optional_keys() -> None:
    assert ServiceMessage.read({"method": "count"}) == ServiceMessage("count", {}, None, None)
    assert ServiceMessage.read({"method": "count", "namespace": None, "version": None}).options == {}
    assert ServiceMessage.read({"method": "count", "version": "2.0"}).options == {"version": "2.0"}


@each(
    ("msg", "reason"),
    [
        ("count", "must be a dict like"),
        (None, "not NoneType"),
        *((msg, "method of a message") for msg in ({}, {"method": ""}, {"method": 3})),
        ({"method": "two\nlines"}, "printable"),
        ({"method": "x" * 256}, "1 to 255"),
        ({"method": "count", "arg": {}, 3: 4}, "3, arg"),
        *(({"method": "count", "args": args}, "must be a dict") for args in (["disk"], None)),
        ({"method": "count", "args": {1: 2}}, "names of arguments"),
        ({"method": "count", "args": {"ctxt": 1, "method": 2}}, "argument ctxt, method"),
        ({"method": "count", "namespace": ""}, "namespace of a message"),
        *(({"method": "count", "version": version}, "like '1.2'") for version in (1.2, "one", "1")),
    ],
)
def test_a_wrong_message_is_refused_with_its_reason(msg: Any, reason: str) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=reason):
        ServiceMessage.read(msg)

"""The hello: its text, its limits, and keys of later releases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cells.drivers.direct import errors
from cells.drivers.direct.hello import MAX_HELLO_BYTES, Hello
from tests.cases import each
from tests.unit.drivers.direct.joined import hello

HELLO = hello("a")
KEYS: dict[str, Any] = json.loads(HELLO.encode()[5:])


def read(**changes: object) -> Hello:
    return Hello.decode(json.dumps(KEYS | changes).encode())


def test_text() -> None:
    assert {
        "protocol": 1,
        "cell": "cell-a",
        "host": "host-a",
        "incarnation": "a" * 16,
        "version": "1.9",
        "max_frame_bytes": 65536,
        "max_message_bytes": 41943040,
        "heartbeat": 2.0,
        "credit": {name: {"messages": 1024, "bytes": 4194304} for name in ("control", "response", "request")},
    } == KEYS
    assert read() == HELLO


def test_later_releases_may_add_keys() -> None:
    assert read(protocol=2, color="blue", credit=KEYS["credit"] | {"bulk": {}}).protocol == 2


@each(
    "changes",
    [
        *({"cell": ""}, {"cell": None}, {"cell": "x" * 256}, {"host": 1}, {"incarnation": "short"}, {"protocol": 0}),
        *({"max_frame_bytes": 1000}, {"max_frame_bytes": 65537}, {"max_message_bytes": 0}, {"heartbeat": 0}),
        *({"heartbeat": 61}, {"heartbeat": "2"}, {"credit": []}, {"credit": {"request": {"messages": 0}}}),
        {"credit": {"request": {"bytes": 2**63}}},
    ],
)
def test_wrong_value(changes: dict[str, object]) -> None:
    with pytest.raises(errors.MalformedFrame):
        read(**changes)


@each("body", [b"", b"{}", b"[]", b"{", b"\xff", b"[" * MAX_HELLO_BYTES, b'{"x":' * 700, b" " * (MAX_HELLO_BYTES + 1)])
def test_no_hello(body: bytes) -> None:
    with pytest.raises(errors.MalformedFrame):
        Hello.decode(body)


def test_the_longest_names_fit() -> None:
    names = {"cell": "\N{GRINNING FACE}" * 255, "host": "\0" * 255}
    longest = Hello(**names, incarnation="x" * 64, version="1" * 32)
    assert Hello.decode(longest.encode()[5:]) == longest

"""Patch json_serializer: it reads and writes the same as kombu and oslo.messaging without it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization
from kombu.utils import json as kombu_json
from oslo_messaging._drivers import common

from cells.transport.patches import json_serializer
from cells.transport.patches.json_serializer import JSONSerializer

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
ENVELOPE_KEYS = {"oslo.version": "2.0", "oslo.message": "{}"}


def outcome(read: Callable[[Any], Any], body: Any) -> object:
    """Return the message that oslo.messaging extracts, with its types, or the error that it raises."""
    try:
        return repr(common.deserialize_msg(read(body)))
    except Exception as error:
        return type(error)


def same(body: str | bytes) -> bool:
    return outcome(json_serializer.read, body) == outcome(kombu_json.loads, body)


@given(VALUES)
def test_any_message_in_an_envelope_is_read_as_ever(message: Any) -> None:
    body = json.dumps(common.serialize_msg(message))
    assert same(body)
    assert same(body.encode())


@given(VALUES | st.dictionaries(st.sampled_from(sorted(ENVELOPE_KEYS)), VALUES))
def test_any_body_is_read_as_ever(data: Any) -> None:
    assert same(json.dumps(data))


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", b"\xff", "NaN", '{"oslo.version": "2.0"}'),
        *(json.dumps(ENVELOPE_KEYS | {"oslo.version": version}) for version in ("2.1", "3.0", "1.0", "", 2, None)),
        *(
            json.dumps(ENVELOPE_KEYS | {"oslo.message": text})
            for text in (
                *("", "{", "null", "[]", "[" * 100_000, json.dumps(ENVELOPE_KEYS), {}, None),
                *('{"at": NaN}', '{"at": 1e999}', '{"twice": 1, "twice": 2}', '{"zero": -0, "other": -0.0}'),
                *('{"number": 123456789012345678901234567890}', '{"number": -9223372036854775809}'),
                '{"number": ' + "1" * 5000 + "}",
                *('{"text": "\\ud800"}', '{"text": "\\ud83d\\ude00"}'),
            )
        ),
        json.dumps(ENVELOPE_KEYS | {"more": 1}),
        json.dumps(ENVELOPE_KEYS | {"oslo.message": {"__type__": "uuid", "__value__": {"hex": "0" * 32}}}),
        json.dumps({"__type__": "uuid", "__value__": {"hex": "0" * 32}}),
        json.dumps({"__type__": "no such", "__value__": 1}),
    ],
)
def test_an_odd_body_is_read_as_ever(body: str | bytes) -> None:
    assert same(body)


def test_a_message_is_read_along_with_its_envelope() -> None:
    message = {"method": "process_message", "args": {"number": 2**70}}
    assert json_serializer.read(json.dumps(common.serialize_msg(message)).encode()) == message


@pytest.mark.parametrize(
    "data", [common.serialize_msg({"text": "\ud800\xe4"}), {"id": uuid.UUID(int=5)}, ENVELOPE_KEYS, "text", {}]
)
def test_kombu_reads_the_written_bodies(data: Any) -> None:
    assert kombu_json.loads(json_serializer.write(data)) == kombu_json.loads(kombu_json.dumps(data))


@pytest.mark.parametrize(
    "data", [{"oslo.version": "2.0", "oslo.message": "\ud800"}, {"id": uuid.UUID(int=5)}, [b"bytes"]]
)
def test_kombu_writes_bodies_that_are_no_envelope_or_no_unicode(data: Any) -> None:
    assert json_serializer.write(data) == kombu_json.dumps(data)


@pytest.fixture
def _installed() -> Iterator[None]:
    assert JSONSerializer().apply()
    yield
    serialization.register_json()
    serialization.registry._set_default_serializer("json")


@pytest.mark.usefixtures("_installed")
def test_kombu_reads_and_writes_so_once_it_is_installed() -> None:
    data = common.serialize_msg({"method": "process_message"})
    content_type, encoding, body = serialization.dumps(data)
    assert (content_type, encoding, body) == ("application/json", "utf-8", json_serializer.write(data))
    assert serialization.loads(body, content_type, encoding) == {"method": "process_message"}

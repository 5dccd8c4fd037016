"""Envelope: messages survive it, and unreadable envelopes are refused with a typed error."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from cells import exceptions
from cells.services.envelope import deserialize_msg, serialize_msg
from tests.cases import each


def test_the_form_is_that_of_version_2_0() -> None:
    assert serialize_msg({"method": "count", "args": {}}) == {
        "oslo.version": "2.0",
        "oslo.message": '{"method": "count", "args": {}}',
    }


@each("message", [{"a": [1, None, True, 1.5, "Größe"]}, [], "text", 0, None])
def test_messages_survive_the_envelope(message: Any) -> None:
    assert deserialize_msg(serialize_msg(message)) == message


def test_values_that_oslo_messaging_serializes_are_accepted() -> None:
    assert deserialize_msg(serialize_msg({"at": datetime.datetime(2026, 1, 2, 3, 4)})) == {
        "at": "2026-01-02T03:04:00.000000"
    }


@each("message", [float("nan"), [float("inf")], object()])
def test_values_without_a_json_form_are_refused(message: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        serialize_msg({"args": message})


def test_too_deep_nesting_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(exceptions.InvalidArguments):
        serialize_msg(nested)
    # Not left to the garbage collector, which would free it level by level.
    while nested:
        nested = nested.pop()


@each("message", [{"method": "count"}, {"oslo.version": "9.0"}, {"oslo.message": "{}"}, None, 7, ["oslo.version"]])
def test_a_message_without_an_envelope_is_unchanged(message: Any) -> None:
    assert deserialize_msg(message) == message


@pytest.mark.parametrize("version", ["2.0", "2"])
def test_the_known_version_is_read(version: str) -> None:
    assert deserialize_msg({"oslo.version": version, "oslo.message": "1"}) == 1


@each("version", ["3.0", "2.1", "1.0", "", "two", "2.x", "\ud800", None, 2.0, 2, [], {}, "9" * 5000])
def test_an_unknown_version_is_refused(version: Any) -> None:
    with pytest.raises(exceptions.UnsupportedRpcEnvelopeVersion) as caught:
        deserialize_msg({"oslo.version": version, "oslo.message": "1"})
    assert len(str(caught.value)) < 300


@each("text", ["", "{", "[" * 100_000, None, 7, {}, [], "1" * 10_000])
def test_an_envelope_without_json_in_it_is_refused(text: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        deserialize_msg({"oslo.version": "2.0", "oslo.message": text})

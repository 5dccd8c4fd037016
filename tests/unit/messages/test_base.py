"""What all messages have in common: immutable, sealed within a bound, written or refused."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from cells import exceptions, versions
from cells.messages import BroadcastMessage, Hop, Message, ResponseMessage, TargetedMessage
from cells.messages import wire as sealed_module
from cells.neighbors import Direction
from cells.path import CellPath
from tests.cases import each
from tests.unit.messages import captures
from tests.unit.messages.trees import row

PATH = CellPath.parse("api!east")
VERSIONS = list(versions.HISTORY)


def targeted(**changed: Any) -> TargetedMessage:
    fields = {"method": "ping", "route": PATH[:1], "target": PATH, "direction": Direction.DOWN, **changed}
    return TargetedMessage.new(**fields)


def broadcast(**changed: Any) -> BroadcastMessage:
    return BroadcastMessage.new(**{"method": "ping", "route": PATH[:1], "direction": Direction.DOWN, **changed})


def response(**changed: Any) -> ResponseMessage:
    return ResponseMessage.answering(targeted(route=PATH, **changed), [])


ALL = [targeted(), broadcast(), response()]


@each("message", ALL, ids=lambda message: message.message_type)
def test_cannot_be_changed(message: Message) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.header.fanout = True  # type: ignore[misc]


@each("message", ALL, ids=lambda message: message.message_type)
def test_arriving_makes_a_new_message_one_cell_further(message: Message) -> None:
    before = captures.sent(message)
    arrived = message.arrived_at("next")
    assert captures.sent(message) == before
    assert arrived.here == "next"
    moved = {"routing_path": f"{before['routing_path']}!next", "hop_count": before["hop_count"] + 1}
    assert captures.sent(arrived) == {**before, **moved}
    assert not arrived.is_at_source


@each("message", ALL, ids=lambda message: message.message_type)
def test_changing_some_fields_makes_a_new_message(message: Message) -> None:
    before = captures.sent(message, "1.3")
    changed = captures.changed(message, traceparent="t", kwargs={"a": 1})
    assert (changed.traceparent, changed.content().kwargs) == ("t", {"a": 1})
    assert captures.sent(message, "1.3") == before


def test_the_content_is_written_once_for_all_hops_of_a_message() -> None:
    message = targeted(kwargs={"a": 1})
    hop = Hop(row("east"), replace(message.header, hop_count=2), "east", "1.3")
    sealed = [message.sealed("1.3", 10_000), message.along(hop).sealed("1.3", 10_000)]
    assert sealed[0].payload is sealed[1].payload
    assert json.loads(sealed[0].payload) == {"ctxt": {}, "method_kwargs": {"a": 1}}


@each("message", ALL, ids=lambda message: message.message_type)
def test_the_manager_that_gets_the_answer_is_the_only_difference(message: Message) -> None:
    assert message.header.addressed("manager-1") == replace(message.header, reply_server="manager-1")
    assert message.header.reply_server == ""


def test_starts_at_its_source_with_an_identity() -> None:
    one, other = targeted(), targeted()
    assert one.id != other.id
    assert (one.header.hop_count, one.header.max_hop_count, one.here, one.is_at_source) == (1, 10, "api", True)
    assert (one.needs_response, one.header.fanout, one.response_to) == (False, False, None)


@each("version", VERSIONS)
def test_writing_changes_nothing(version: str) -> None:
    kwargs: dict[str, Any] = {"deep": {"list": [1]}}
    message = targeted(kwargs=kwargs, trace=None)
    before = captures.sent(message, version)
    assert captures.sent(message, version) == captures.sent(message, version)
    assert captures.sent(message, version) == before
    assert message.content().kwargs is kwargs
    assert kwargs == {"deep": {"list": [1]}}


@each("version", VERSIONS)
@each("message", ALL, ids=lambda message: message.message_type)
def test_sealed_is_what_a_driver_needs(message: Message, version: str) -> None:
    sealed = message.sealed(version, 10_000)
    assert (sealed.message_type, sealed.fanout) == (message.message_type, message.header.fanout)
    assert (sealed.version, sealed.server) == (version, "")
    assert sealed.may_share_a_cast is versions.speaks(version, "1.3")
    assert opened(captures.sent(message, version)) == captures.sent(message)


def opened(data: dict[str, Any]) -> dict[str, Any]:
    """A message as if it had traveled alone."""
    payload = data.pop("payload", "{}")
    return {**data, **json.loads(payload)}


def circle() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values["itself"] = values
    return values


def nested() -> list[Any]:
    values: list[Any] = []
    for _ in range(100_000):
        values = [values]
    return values


@each(
    "value",
    [object(), {1, 2}, b"bytes", float("nan"), float("-inf"), {(1, 2): 3}, circle(), nested(), 10**5000],
    ids=["object", "set", "bytes", "nan", "inf", "tuple as key", "circle", "deep", "huge"],
)
@each("field", ["kwargs", "context"])
def test_what_has_no_json_form_is_refused(field: str, value: object) -> None:
    message = targeted(**{field: {"value": value}})
    for version in VERSIONS:
        with pytest.raises(exceptions.InvalidArguments, match="ping") as caught:
            message.sealed(version, captures.LIMIT_BYTES)
        assert caught.value.method == "ping"


@each("version", VERSIONS)
def test_too_long_a_message_is_refused(version: str) -> None:
    message = targeted(id="x", kwargs={"text": "x" * 1000})
    size = message.sealed(version, captures.LIMIT_BYTES).size_bytes
    assert message.sealed(version, size)
    with pytest.raises(exceptions.MessageTooLarge, match="max_message_bytes") as caught:
        message.sealed(version, size - 1)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (size, size - 1)


@each("version", VERSIONS)
def test_the_bound_counts_bytes_not_characters(version: str) -> None:
    message = targeted(kwargs={"text": "é" * 1000})
    sealed = message.sealed(version, 10_000)
    text = json.dumps(opened(captures.sent(message, version)))
    assert len(text) == len(text.encode()) > 6000
    # It is told without writing the head, for which so much is always counted.
    assert len(text) - sealed_module.HEAD_BYTES < sealed.size_bytes < len(text) + sealed_module.HEAD_BYTES
    with pytest.raises(exceptions.MessageTooLarge):
        message.sealed(version, len(text) - sealed_module.HEAD_BYTES)

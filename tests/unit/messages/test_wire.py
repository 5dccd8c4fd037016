"""What a driver is handed: text in the form of one version, and the time that is left when it is sent."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cells import exceptions, messages, versions
from cells.deadlines import MOST_SECONDS, SHARE
from cells.messages import BroadcastMessage, Message, ResponseMessage, SealedMessage, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from tests.cases import each
from tests.unit.messages import captures
from tools.polling import poll

#: What no cell knew before the version that it came with.
NEW_KEYS = {
    "time_left": "1.1",
    "reply_server": "1.1",
    "traceparent": "1.1",
    "trace": "1.1",
    "stream": "1.2",
    "payload": "1.3",
    "reply_to": "1.4",
}
VERSIONS = list(versions.HISTORY)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENTS = ({"cell": "api", "event": "asked", "at": 1.5},)


def full(cls: type[Message], version: str, seconds_left: float | None = 60.0) -> Message:
    """A message that has all that ``version`` knows."""
    fields: dict[str, Any] = {
        "method": "ping",
        "route": CellPath(["api"]),
        "direction": Direction.DOWN,
        "kwargs": {"text": "é"},
        "context": {"user_id": "ada"},
        "needs_response": True,
        "reply_server": "manager-1",
        "reply_to": "4f2a@reply_1" if versions.speaks(version, versions.REPLY_TO) else "",
        "traceparent": TRACEPARENT,
        "trace": EVENTS if version != "1.0" else None,
        "deadline": None if seconds_left is None else time.monotonic() + seconds_left,
    }
    if cls is BroadcastMessage:
        return BroadcastMessage.new(**fields, streams=versions.speaks(version, versions.STREAMED_ANSWERS))
    if cls is ResponseMessage:
        fields |= {"response_to": "m", "needs_response": False}
        return ResponseMessage.new(**fields, target=CellPath.parse("api!east"))
    return TargetedMessage.new(**fields, target=CellPath.parse("api!east"))


ALL = [TargetedMessage, BroadcastMessage, ResponseMessage]


@each("cls", ALL)
@each("version", VERSIONS)
def test_it_has_the_keys_of_its_version_and_no_newer_ones(cls: type[Message], version: str) -> None:
    sent = captures.sent(full(cls, version), version)
    expected = {key for key, since in NEW_KEYS.items() if versions.speaks(version, since)}
    if cls is not BroadcastMessage:
        expected -= {"stream"}
    assert sent.keys() & NEW_KEYS.keys() == expected
    assert ("method_kwargs" in sent, "ctxt" in sent) == (("payload" not in sent),) * 2


@each("cls", ALL)
@each("version", VERSIONS)
def test_what_there_is_not_is_not_sent(cls: type[Message], version: str) -> None:
    bare = captures.changed(full(cls, version, None), reply_server="", reply_to="", traceparent="", trace=None)
    if isinstance(bare, BroadcastMessage):
        bare = captures.changed(bare, streams=False)
    assert captures.sent(bare, version).keys() & NEW_KEYS.keys() <= {"payload"}


def test_a_trace_that_was_asked_for_is_sent_even_if_nothing_is_in_it() -> None:
    assert captures.sent(captures.changed(full(TargetedMessage, "1.1"), trace=()), "1.1")["trace"] == []


@each("version", [version for version in VERSIONS if version != "1.0"])
@each("seconds", [0.5, 5.0, 60.0, 1000.0])
def test_the_time_that_is_left_shrinks_on_each_link(version: str, seconds: float) -> None:
    sealed = full(TargetedMessage, version, seconds).sealed(version, captures.LIMIT_BYTES)
    sent = time_left(sealed)
    margin = min(SHARE * seconds, MOST_SECONDS)
    assert sent < seconds - margin + 0.001
    assert sent > seconds - margin - 0.4
    # Cell by cell, so that each gives up before the one that it has it from.
    arrived = messages.parse(captures.as_it_comes(sealed), captures.LIMIT_BYTES, 10, time.monotonic())
    assert time_left(arrived.sealed(version, captures.LIMIT_BYTES)) < sent


def time_left(sealed: SealedMessage) -> float:
    came = captures.as_it_comes(sealed)
    data = json.loads(came) if isinstance(came, str) else came
    return float(data["time_left"])


@each("version", [version for version in VERSIONS if version != "1.0"])
def test_the_time_that_is_left_is_told_when_it_is_sent_and_not_before(version: str) -> None:
    sealed = full(TargetedMessage, version).sealed(version, captures.LIMIT_BYTES)
    first = time_left(sealed)
    poll(lambda: time_left(sealed) < first - 0.01, "less is left", pause_seconds=0.005)


def test_it_is_late_when_its_time_is_over() -> None:
    sealed = full(TargetedMessage, "1.1").sealed("1.1", captures.LIMIT_BYTES)
    assert sealed.deadline is not None
    assert not sealed.is_late(sealed.deadline - 0.001)
    assert sealed.is_late(sealed.deadline)
    assert not full(TargetedMessage, "1.1", None).sealed("1.1", captures.LIMIT_BYTES).is_late(1e12)


def test_what_is_sent_too_late_after_all_says_that_nothing_is_left() -> None:
    assert time_left(full(TargetedMessage, "1.1", -5.0).sealed("1.1", captures.LIMIT_BYTES)) < 0


@each("version", VERSIONS)
def test_only_what_is_an_item_may_share_a_cast(version: str) -> None:
    sealed = full(TargetedMessage, version).sealed(version, captures.LIMIT_BYTES)
    assert sealed.may_share_a_cast is versions.speaks(version, "1.3")
    assert sealed.size_bytes >= len(sealed.payload)


def test_a_payload_is_passed_on_as_the_text_that_came() -> None:
    payload = '{"method_kwargs":  {"n": 1.50},"ctxt":{ }}'
    came = captures.changed(full(TargetedMessage, "1.3"), payload=payload)
    assert came.sealed("1.3", captures.LIMIT_BYTES).to_item()["payload"] == payload
    assert captures.sent(came, "1.1")["method_kwargs"] == {"n": 1.5}


@each(
    "payload",
    [
        '{"method_name": "stolen", "target_cell": "api!west", "ctxt": {}, "method_kwargs": {}}',
        "{}",
        ', "method_name": "stolen"}',
        "",
    ],
)
def test_a_payload_of_another_cell_can_not_change_the_keys_of_the_message(payload: str) -> None:
    """However it is sent: a driver that knows no batches sends each alone."""
    sealed = captures.changed(full(TargetedMessage, "1.3"), payload=payload).sealed("1.3", captures.LIMIT_BYTES)
    for came in (captures.as_it_comes(sealed), sealed.to_json()):
        message = messages.parse(came, captures.LIMIT_BYTES, 10)
        assert isinstance(message, TargetedMessage)
        assert (message.method, str(message.header.target), message.payload) == ("ping", "api!east", payload)


@each("version", [version for version in VERSIONS if not versions.speaks(version, "1.3")])
def test_no_more_of_a_payload_than_its_two_keys_goes_into_an_older_form(version: str) -> None:
    payload = '{"method_name": "stolen", "ctxt": {"a": 1}, "method_kwargs": {"b": 2}}'
    message = captures.changed(full(TargetedMessage, version), payload=payload)
    sent = captures.sent(message, version)
    assert (sent["method_name"], sent["ctxt"], sent["method_kwargs"]) == ("ping", {"a": 1}, {"b": 2})


@each("version", [version for version in VERSIONS if not versions.speaks(version, "1.3")])
@each("payload", ["", "{", "[]", '{"ctxt": {}}', '{"ctxt": 5, "method_kwargs": {}}', '{"method_kwargs": []}'])
def test_a_payload_that_can_not_be_read_has_no_older_form(version: str, payload: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        captures.changed(full(TargetedMessage, version), payload=payload).sealed(version, captures.LIMIT_BYTES)

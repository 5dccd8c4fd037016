"""Any message, sent in the form of any version and read again, is the same as far as that version can say it."""

from __future__ import annotations

import itertools
import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, messages, versions
from cells.deadlines import shrink
from cells.messages import BroadcastMessage, Message, ResponseMessage, TargetedMessage
from cells.messages.validation import MAX_HOPS
from cells.neighbors import Direction
from cells.path import CellPath
from tests.json_values import JSON
from tests.unit.messages import captures

VERSIONS = list(versions.HISTORY)
#: Drawing a message takes many times as long as sending it, so each is sent in every version.
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
CELLS = NAMES.filter(lambda name: "!" not in name and name.isprintable() and " " not in name)
PATHS = st.lists(CELLS, min_size=1, max_size=4).map(CellPath)
OBJECTS = st.dictionaries(st.text(max_size=6), JSON, max_size=3)
EVENTS = st.fixed_dictionaries({"cell": CELLS, "event": NAMES, "at": st.floats(0, 1e10)})
#: What a version older than the one named here has no word for.
SINCE = {"reply_server": "1.1", "traceparent": "1.1", "trace": "1.1", "deadline": "1.1", "streams": "1.2"}
NOW = 1000.0


@st.composite
def any_message(draw: st.DrawFn) -> Message:
    cls = draw(st.sampled_from([TargetedMessage, BroadcastMessage, ResponseMessage]))
    max_hop_count = draw(st.integers(1, MAX_HOPS))
    values: dict[str, Any] = {
        "method": draw(NAMES),
        "route": draw(PATHS),
        "direction": draw(st.sampled_from(Direction)),
        "kwargs": draw(OBJECTS),
        "context": draw(OBJECTS),
        "needs_response": draw(st.booleans()),
        "fanout": draw(st.booleans()),
        "id": draw(NAMES),
        "hop_count": draw(st.integers(0, MAX_HOPS)),
        "max_hop_count": max_hop_count,
        "reply_server": draw(st.just("") | NAMES),
        "reply_to": draw(st.just("") | NAMES),
        "traceparent": draw(st.just("") | NAMES),
        "trace": draw(st.none() | st.lists(EVENTS, max_size=3).map(tuple)),
    }
    if cls is BroadcastMessage:
        return BroadcastMessage.new(**values, streams=draw(st.booleans()))
    values["target"] = draw(PATHS)
    if cls is ResponseMessage:
        return ResponseMessage.new(**{**values, "needs_response": False}, response_to=draw(NAMES))
    return TargetedMessage.new(**values)


def as_said_in(message: Message, version: str) -> Message:
    """What of a message a version has words for."""
    since = {**SINCE, "reply_to": message.reply_to_since}
    unsaid = {name for name, first in since.items() if not versions.speaks(version, first)}
    defaults = {
        found.name: found.default for found in (*fields(message), *fields(message.header)) if found.name in unsaid
    }
    said = captures.changed(message, **defaults)
    # The one manager that it is for is not all of them.
    return captures.changed(said, fanout=message.header.fanout and not message.header.server(version))


def having_words_for(message: Message) -> list[str]:
    """A trace to one cell, and a broadcast whose answers come by themselves, have no older form; their plans know."""
    oldest = versions.OLDEST
    if isinstance(message, BroadcastMessage) and message.header.streams:
        oldest = versions.STREAMED_ANSWERS
    if isinstance(message, TargetedMessage) and message.trace is not None:
        oldest = versions.TRACE
    return [version for version in VERSIONS if versions.speaks(version, oldest)]


@given(any_message())
def test_what_is_sent_is_what_is_read(message: Message) -> None:
    for version in having_words_for(message):
        read = captures.over_the_wire(message, version)
        assert isinstance(read.payload, str) is versions.speaks(version, "1.3"), version
        assert captures.opened(read) == as_said_in(message, version), version


@given(any_message())
def test_a_cell_on_the_way_may_speak_another_version_on_each_side(message: Message) -> None:
    """From one link to the next a message loses what the lower of the two has no words for, and nothing else."""
    # Whether all managers get it is decided anew for each link.
    message = captures.changed(message, fanout=False)
    # That has words for it which both links have.
    for newer, older in itertools.product(having_words_for(message), repeat=2):
        both = versions.lowest(newer, older)
        read = captures.over_the_wire(captures.over_the_wire(message, newer), older)
        assert captures.opened(read) == as_said_in(message, both), (newer, older)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "1.0"])
@given(st.floats(0.1, 1000.0))
def test_the_deadline_is_told_as_the_time_that_is_left(version: str, seconds: float) -> None:
    started = time.monotonic()
    message = TargetedMessage.new(
        method="ping",
        route=CellPath(["api"]),
        target=CellPath(["api", "east"]),
        direction=Direction.DOWN,
        deadline=started + seconds,
    )
    read = captures.over_the_wire(message, version, now=NOW)
    took = time.monotonic() - started
    assert read.deadline is not None
    assert shrink(seconds - took) - 0.002 <= read.deadline - NOW <= shrink(seconds) + 0.002


def test_a_trace_to_one_cell_has_no_form_before_1_1() -> None:
    way = CellPath(["api", "east"])
    message = TargetedMessage.new(method="ping", route=way[:1], target=way, direction=Direction.DOWN, trace=())
    with pytest.raises(exceptions.RPCVersionCapError, match=r"1\.1") as caught:
        message.sealed("1.0", captures.LIMIT_BYTES)
    assert caught.value.cell == "api"
    assert message.sealed("1.1", captures.LIMIT_BYTES)


def test_an_answer_and_a_broadcast_go_on_without_their_trace() -> None:
    way = CellPath(["api", "east"])
    answer = ResponseMessage.new(
        method="m", route=way[:1], target=way, direction=Direction.UP, response_to="m", trace=()
    )
    broadcast = BroadcastMessage.new(method="m", route=way[:1], direction=Direction.DOWN, trace=())
    for message in (answer, broadcast):
        assert captures.over_the_wire(message, "1.1").trace == ()
        assert captures.over_the_wire(message, "1.0").trace is None


@given(any_message())
def test_what_is_sent_has_only_keys_that_its_version_knows(message: Message) -> None:
    oldest = set(
        captures.capture(
            {"targeted": "targeted_request", "broadcast": "broadcast_request"}.get(
                message.message_type, "response_relayed"
            )
        )
    )
    for version in having_words_for(message):
        known = set(oldest)
        if versions.speaks(version, "1.1"):
            known |= {"reply_server", "traceparent", "trace", "time_left"}
        if versions.speaks(version, message.reply_to_since):
            known |= {"reply_to"}
        if versions.speaks(version, "1.2") and isinstance(message, BroadcastMessage):
            known |= {"stream"}
        if versions.speaks(version, "1.3"):
            known = (known - {"ctxt", "method_kwargs"}) | {"payload"}
        assert captures.sent(message, version).keys() <= known, version
        came = captures.as_it_comes(message.sealed(version, captures.LIMIT_BYTES))
        assert messages.parse(came, captures.LIMIT_BYTES, 10), version

"""The keys that came with 1.1 to 1.3: what they may hold, and that anything else is an error of the message."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, messages
from cells.deadlines import LONGEST_SECONDS
from cells.messages import Message
from cells.messages.validation import MAX_EVENT_KEYS, MAX_TRACE, _strict, load, load_with
from tests.cases import each
from tests.unit.messages import captures

NOW = 1000.0
CAPTURES = ["targeted_request", "broadcast_request", "response_relayed"]
#: What no key of these takes, whatever it is for; nothing that JSON has no form for.
WRONG_TYPES: list[Any] = [{}, {"a": 1}, [[]], [5], ["a"], [None]]
EVENT = {"cell": "api", "event": "asked", "at": 1.5}
HUGE = 10**400

WRONG: dict[str, list[Any]] = {
    "time_left": [True, False, "5", "", "soon", [], *WRONG_TYPES],
    "reply_server": [True, 5, 1.5, "", "a\nb", "\x00", "\ud800", "x" * 256, [], *WRONG_TYPES],
    "traceparent": [True, 5, 1.5, "", "a\nb", "\x00", "\ud800", "x" * 256, [], *WRONG_TYPES],
    "trace": [
        *(True, 5, 1.5, "", "text", {}, {"a": 1}, [5], [None], ["a"], [[]], [[EVENT]], [EVENT, 5]),
        [EVENT] * (MAX_TRACE + 1),
        *([{"cell": {}}], [{"cell": ["api"]}], [{"cell": "x" * 256}], [{"x" * 256: 1}], [{"event": "two\nlines"}]),
        [{f"key{number}": number for number in range(MAX_EVENT_KEYS + 1)}],
    ],
}
WRONG_STREAM = [5, 0, 1.5, "", "true", [], {}]
CASES = [(key, value) for key, values in WRONG.items() for value in values]
#: As :data:`CASES`, but only an item of a cast of many can hold it, for no text that is JSON does.
ONLY_IN_ITEMS = [
    *(("time_left", value) for value in (float("nan"), float("inf"), float("-inf"), b"5", (1,))),
    *(("trace", [{"at": value}]) for value in (float("nan"), float("-inf"), b"x", object())),
]


def item(name: str, **values: Any) -> dict[str, Any]:
    """A captured message as one of many in a cast."""
    data = captures.capture(name)
    payload = json.dumps({"ctxt": data.pop("ctxt"), "method_kwargs": data.pop("method_kwargs")})
    return {**data, "payload": payload, **values}


def text(name: str, **values: Any) -> str:
    """A captured message that travels alone."""
    return json.dumps({**captures.capture(name), **values})


def parse(came: object) -> Message:
    return messages.parse(came, captures.LIMIT_BYTES, 10, NOW)


@each("make", [item, text])
@each("name", CAPTURES)
@each(("key", "value"), CASES, ids=lambda value: repr(value)[:20])
def test_a_wrong_value_is_an_error_that_names_the_key(make: Any, name: str, key: str, value: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match=key) as caught:
        parse(make(name, **{key: value}))
    assert len(caught.value.message) < 250


@each("make", [item, text])
@each("value", WRONG_STREAM)
def test_a_broadcast_that_does_not_say_clearly_who_gathers_is_refused(make: Any, value: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match="stream"):
        parse(make("broadcast_request", stream=value))


@each("name", CAPTURES)
@each(("key", "value"), ONLY_IN_ITEMS, ids=lambda value: repr(value)[:20])
def test_what_is_no_json_at_all(name: str, key: str, value: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage, match=key):
        parse(item(name, **{key: value}))


@each("make", [item, text])
@each("key", [*WRONG, "stream"])
def test_a_null_counts_as_left_out(make: Any, key: str) -> None:
    assert parse(make("broadcast_request", **{key: None})) == parse(make("broadcast_request"))


@each("make", [item, text])
@each(
    ("time_left", "deadline"),
    [
        *((5, NOW + 5), (0.25, NOW + 0.25)),
        *((time_left, NOW) for time_left in (0, -0.001, -HUGE, -1e308)),
        *((time_left, NOW + LONGEST_SECONDS) for time_left in (LONGEST_SECONDS, 1e308, HUGE)),
    ],
)
def test_the_time_that_is_left_counts_from_when_it_comes(make: Any, time_left: float, deadline: float) -> None:
    message = parse(make("targeted_request", time_left=time_left))
    assert message.deadline == deadline
    assert message.is_late(NOW) is (time_left <= 0)
    assert message.is_late(deadline)
    assert not message.is_late(deadline - 0.001)


def test_what_passes_an_answer_on_is_in_no_hurry() -> None:
    assert parse(text("response_relayed", time_left=0.0)).deadline is None


@each("name", CAPTURES)
def test_a_trace_keeps_what_later_releases_add_to_its_events(name: str) -> None:
    events = [EVENT, {**EVENT, "late": True, "bytes": HUGE, "note": None}]
    message = parse(item(name, trace=events))
    assert message.trace == tuple(events)
    assert captures.sent(message, "1.3")["trace"] == events
    assert captures.sent(message, "1.1")["trace"] == events


def test_a_long_trace_takes_no_more_events() -> None:
    message = parse(item("targeted_request", trace=[EVENT] * (MAX_TRACE - 1)))
    noted = message.recording("received", 2.0).recording("asked", 3.0)
    assert noted.trace is not None
    assert len(noted.trace) == MAX_TRACE
    assert noted.trace[-1] == {"cell": "api", "event": "received", "at": 2.0}
    assert parse(item("targeted_request")).recording("received", 2.0).trace is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(HUGE) | st.just(-HUGE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*WRONG, "stream", "payload", "ctxt", "method_kwargs"])


@given(st.sampled_from(CAPTURES), st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_any_value_of_any_new_key_is_refused_or_can_be_sent_on(name: str, values: dict[str, Any]) -> None:
    """Nothing that was read may fail in the sender of a link: there it would harm those that wait beside it."""
    with contextlib.suppress(exceptions.MessageError):
        message = parse(item(name, **values)).arrived_at("here")
        assert captures.as_it_comes(message.sealed("1.3", captures.LIMIT_BYTES))
        # What cells on the way pass on unread is read where it changes its form.
        assert captures.as_it_comes(message.sealed("1.1", captures.LIMIT_BYTES))


@each("text", ["", "null", "[]", '"text"', "{", "[" * 100_000, '{"a": NaN}', '{"a": 1e999}'])
def test_a_payload_that_is_no_object_is_an_error_of_the_message(text: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        load(text)


@given(VALUES)
def test_a_payload_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps({"value": value})
    assert outcome(load, text) == outcome(partial(load_with, _strict), text)


@pytest.mark.parametrize("text", ["9" * 5000, "1e-400", "-0", "-9223372036854775809", '"\ud800"', '{"a": 1, "a": 2}'])
def test_an_odd_value_is_read_as_the_standard_library_reads_it(text: str) -> None:
    text = f'{{"value": {text}}}'
    assert outcome(load, text) == outcome(partial(load_with, _strict), text)


def outcome(read: Callable[[str], object], text: str) -> str:
    """What is read, and of which types, or the error."""
    try:
        return repr(read(text))
    except exceptions.MalformedMessage as error:
        return error.message

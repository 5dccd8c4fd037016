"""From any text to a message or a named error, and enough of a broken call to answer it."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, messages, versions
from cells.messages import BroadcastMessage, EncodedResponse, Message, ResponseMessage, TargetedMessage
from cells.neighbors import Direction, Neighbors
from tests.cases import each
from tests.json_values import PYTHON_JSON as JSON
from tests.unit.messages import captures
from tests.unit.messages.trees import leaving, oldest, row

#: A capture of each type.
ONE_OF_EACH = ["targeted_request", "broadcast_request", "response_relayed"]
KEYS = sorted({key for name in captures.NAMES for key in captures.capture(name)})
LONG = "x" * 100_000
OPTIONAL = ["fanout", "uuid", "hop_count", "max_hop_count", "need_response"]
LIKELY = st.sampled_from(["targeted", "broadcast", "response", "up", "down", "a", "a!b", "a!b!c", "ping", "", "!", {}])


def parse(text: object) -> Message:
    return messages.parse(text, captures.LIMIT_BYTES, 7)


def refusal(text: str) -> exceptions.MessageError | None:
    """Why ``text`` is refused, or None if it is read."""
    try:
        parse(text)
    except exceptions.MessageError as error:
        return error
    return None


def salvage(text: object) -> Message | None:
    return messages.salvage(text, captures.LIMIT_BYTES, 7)


def changed(name: str = "targeted_request", **values: Any) -> str:
    return json.dumps({**captures.capture(name), **values})


def without(name: str, *keys: str) -> str:
    return json.dumps({key: value for key, value in captures.capture(name).items() if key not in keys})


@each(("name", "cls"), zip(ONE_OF_EACH, (TargetedMessage, BroadcastMessage, ResponseMessage), strict=True))
def test_type_of_a_message_is_its_class(name: str, cls: type[Message]) -> None:
    message = parse(changed(name))
    assert type(message) is cls
    assert message.message_type == cls.message_type


@each("name", ONE_OF_EACH)
def test_what_a_peer_may_leave_out_gets_a_default(name: str) -> None:
    one, other = parse(without(name, *OPTIONAL)), parse(without(name, *OPTIONAL))
    assert (one.header.fanout, one.needs_response) == (False, False)
    assert (one.header.hop_count, one.header.max_hop_count) == (0, 7)
    assert one.id
    assert one.id != other.id


@each("key", OPTIONAL)
def test_a_null_counts_as_left_out(key: str) -> None:
    left_out, null = parse(without("targeted_request", key)), parse(changed(**{key: None}))
    assert {name: value for name, value in captures.sent(null).items() if name != "uuid"} == {
        name: value for name, value in captures.sent(left_out).items() if name != "uuid"
    }


@each("name", captures.NAMES)
def test_unknown_keys_are_ignored(name: str) -> None:
    data = captures.capture(name)
    assert captures.sent(parse(changed(name, colour="red", run_locally=False, time_left=5.0))) == data


def test_a_broadcast_that_came_runs_here_whatever_it_says() -> None:
    message = parse(changed("broadcast_request", run_locally=False)).arrived_at("b")
    assert message.plan(Neighbors(), oldest).run_here


@each(("name", "key"), [(name, key) for name in ONE_OF_EACH for key in captures.capture(name) if key not in OPTIONAL])
def test_missing_key(name: str, key: str) -> None:
    with pytest.raises(exceptions.MalformedMessage, match=f"no '{key}'"):
        parse(without(name, key))


@each("wrong", [None, 5, 1.5, True, "", "text", [], ["a"], {}, {"a": 1}], ids=repr)
@each("key", KEYS)
@each("name", ONE_OF_EACH)
def test_wrong_type_is_a_message_error_or_harmless(name: str, key: str, wrong: object) -> None:
    right = captures.capture(name).get(key)
    error = refusal(changed(name, **{key: wrong}))
    if error is None:
        # Read, so it was of the right type, unknown to this type of message, or as good as left out.
        assert right is None or type(wrong) is type(right) or (wrong is None and key in OPTIONAL)
    elif key == "message_type" and isinstance(wrong, str):
        assert type(error) is exceptions.UnknownMessageType
    else:
        assert type(error) is exceptions.MalformedMessage
        assert key in error.message or isinstance(wrong, str)


@each(
    ("key", "value", "error"),
    [
        *(("direction", value, exceptions.MalformedMessage) for value in ("down ", "DOWN", "sideways", "", LONG)),
        *(
            ("message_type", value, exceptions.UnknownMessageType)
            for value in ("Targeted", "unknown", "\ud800", "", LONG)
        ),
    ],
)
def test_unknown_direction_or_type(key: str, value: str, error: type[exceptions.MessageError]) -> None:
    with pytest.raises(error) as caught:
        parse(changed(**{key: value}))
    assert len(caught.value.message) < 200


@each(
    "text",
    [
        # Broken JSON.
        *("", " ", "{", "nope", "{'a': 1}", '{"message_type": }', "\x00", "\ud800", '{"a": "\n"}', "\ufeff{}"),
        *("[" * 200_000, '{"a":' * 200_000, '{"hop_count": ' + "9" * 5000 + "}"),
        # JSON that is no object.
        *("[]", "null", "5", '"text"', "true", "[{}]"),
        # Numbers that JSON does not have.
        *("NaN", "-Infinity", "1e999"),
        # No text.
        *(None, 5, b"{}", [], True),
    ],
    ids=lambda text: repr(text)[:15],
)
def test_a_text_that_is_no_json_object_is_refused(text: object) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        parse(text)
    assert salvage(text) is None


def test_too_long_a_text() -> None:
    text = changed()
    assert messages.parse(text, len(text), 10)
    with pytest.raises(exceptions.MessageTooLarge) as caught:
        messages.parse(text, len(text) - 1, 10)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (len(text), len(text) - 1)


@each("value", ["NaN", "Infinity", "1e999", "9" * 4300])
@each("key", ["method_kwargs", "ctxt"])
def test_numbers_that_have_no_json_form_are_message_errors(key: str, value: str) -> None:
    """Here or when it is passed on, but nothing else than an error of the message."""
    text = changed(**{key: {"n": "NUMBER"}}).replace('"NUMBER"', value)
    if value.isdigit():
        assert parse(text).sealed(versions.OLDEST, captures.LIMIT_BYTES)
    else:
        with pytest.raises(exceptions.MessageError):
            parse(text).sealed(versions.OLDEST, captures.LIMIT_BYTES)


def test_a_call_whose_context_has_no_json_form_can_be_answered() -> None:
    """Or its caller would wait in vain."""
    text = changed(ctxt={"n": "NUMBER"}).replace('"NUMBER"', "NaN")
    try:
        message: Message | None = parse(text)
    except exceptions.MalformedMessage:
        message = salvage(text)
    assert message is not None
    assert ResponseMessage.answering(message.arrived_at("b"), []).sealed(versions.OLDEST, captures.LIMIT_BYTES)


@each("key", ["hop_count", "max_hop_count"])
@each("digits", [20, 400, 4299, 4300])
def test_huge_hop_counts_are_message_or_routing_errors(key: str, digits: int) -> None:
    text = changed(target_cell="api!b!c", **{key: "NUMBER"}).replace('"NUMBER"', "9" * digits)
    passed_on: list[str] = []
    with contextlib.suppress(exceptions.MessageError, exceptions.RoutingError):
        relayed = leaving(parse(text).arrived_at("b"), Neighbors.of([row("c")]))
        passed_on.append(relayed.sealed(versions.OLDEST, captures.LIMIT_BYTES).to_json())
    assert not passed_on or key == "max_hop_count"


@each("key", ["routing_path", "target_cell"])
@each("value", ["", "!", "a!", "a b", "\ud800", "a\n", "x" * 256, "!" * 100_000])
def test_paths_that_are_none(key: str, value: str) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        parse(changed(**{key: value}))


def test_lone_surrogates_in_arguments_are_passed_on() -> None:
    message = parse(changed(method_kwargs={"odd \ud800": ["\udfff"]}))
    assert captures.sent(message)["method_kwargs"] == {"odd \ud800": ["\udfff"]}


def test_a_key_that_comes_twice_counts_once() -> None:
    text = changed()[:-1] + ', "method_name": "again"}'
    assert parse(text).method == "again"


def test_a_response_is_never_answered() -> None:
    assert parse(changed("response_relayed", need_response=True)).needs_response is False
    assert salvage(changed("response_relayed", need_response=True, method_name=5)) is None


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(exceptions.MessageError):
        parse(text)
    assert salvage(text) is None


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with pytest.raises(exceptions.MessageError):
        parse(json.dumps(value))
    assert salvage(json.dumps(value)) is None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*KEYS, "other"], LIKELY | JSON)))
def test_any_values_of_the_keys_are_read_or_refused(data: dict[str, Any]) -> None:
    text = json.dumps(data)
    error = refusal(text)
    assert error is None or error.message
    stub = salvage(text)
    assert stub is None or stub.needs_response


@given(st.sampled_from(captures.NAMES), st.dictionaries(st.sampled_from(KEYS), LIKELY | JSON, min_size=1, max_size=3))
def test_any_change_of_a_real_message_is_read_or_refused(name: str, values: dict[str, Any]) -> None:
    text = changed(name, **values)
    error = refusal(text)
    assert error is None or error.message
    stub = salvage(text)
    assert stub is None or stub.needs_response or stub.response_to


@given(st.sampled_from(captures.NAMES), st.data())
def test_a_real_message_that_was_cut_is_refused(name: str, data: st.DataObject) -> None:
    text = changed(name)
    with pytest.raises(exceptions.MalformedMessage):
        parse(text[: data.draw(st.integers(0, len(text) - 1))])


@each(
    "values",
    [
        *({"method_name": 5}, {"method_kwargs": []}, {"message_type": "unknown"}, {"message_type": None}),
        *({"target_cell": "!"}, {"hop_count": "many"}, {"ctxt": None}),
    ],
)
def test_a_broken_call_can_be_answered(values: dict[str, Any]) -> None:
    text = changed(**values, routing_path="api!child1")
    with pytest.raises(exceptions.MessageError):
        parse(text)
    stub = salvage(text)
    assert stub is not None
    answer = ResponseMessage.answering(stub.arrived_at("grandchild1"), [EncodedResponse("{}")])
    assert answer.response_to == captures.capture("targeted_request")["uuid"]
    assert (str(answer.header.target), answer.header.direction) == ("grandchild1!child1!api", Direction.UP)
    assert captures.over_the_wire(answer).response_to == answer.response_to


def test_a_broken_broadcast_is_answered_one_hop_back() -> None:
    stub = salvage(changed("broadcast_request_relayed", method_name=5))
    assert isinstance(stub, BroadcastMessage)
    assert str(ResponseMessage.answering(stub.arrived_at("grandchild1"), []).header.target) == "grandchild1!child1"


@each(("stream", "streams"), [(True, True), (False, False), (None, False), ("yes", False), (1, False)])
def test_a_broken_broadcast_that_streams_is_answered_all_the_way_back(stream: object, streams: bool) -> None:
    """Its source waits for each cell, and nobody on the way gathers anything."""
    stub = salvage(changed("broadcast_request_relayed", method_name=5, stream=stream))
    assert isinstance(stub, BroadcastMessage)
    assert stub.header.streams is streams
    answer = ResponseMessage.answering(stub.arrived_at("grandchild1"), [])
    assert str(answer.header.target) == ("grandchild1!child1!api" if streams else "grandchild1!child1")


def test_the_answer_to_a_broken_call_of_many_hops_may_go_all_the_way_back() -> None:
    path = "!".join(f"c{number}" for number in range(30))
    stub = salvage(changed(method_name=5, routing_path=path))
    assert stub is not None
    answer = ResponseMessage.answering(stub.arrived_at("here"), [])
    assert answer.header.max_hop_count >= 31


@each("key", ["need_response", "routing_path", "direction", "uuid"])
def test_a_call_that_does_not_say_who_it_is_gets_no_answer(key: str) -> None:
    assert salvage(without("targeted_request", key)) is None
    assert salvage(changed(**{key: 5})) is None


def test_a_broken_cast_gets_no_answer() -> None:
    assert salvage(changed("update_capabilities_up", method_name=5)) is None


def test_size_of_a_message_is_that_of_its_bytes() -> None:
    """(case G3)."""
    text = changed(method_kwargs={})
    wide = json.dumps({**json.loads(text), "x": "\U0001f600" * 100}, ensure_ascii=False)
    for came in (wide, {"payload": wide}):
        with pytest.raises(exceptions.MessageTooLarge) as caught:
            messages.parse(came, len(wide) + 50, 7)
        assert caught.value.size_bytes == len(wide.encode())


@each(("times", "is_answered"), [(2, True), (4.5, False)])
def test_message_above_the_limit_is_not_parsed(times: float, is_answered: bool) -> None:
    """Only its header is read, for the answer to its sender; nothing of a message far above the limit (case G3)."""
    limit_bytes = 200_000
    text = changed(routing_path="api!child1", method_kwargs=[[]] * round(times * limit_bytes / 4))
    tracemalloc.start()
    try:
        with pytest.raises(exceptions.MessageTooLarge):
            messages.parse(text, limit_bytes, 7)
        stub = messages.salvage(text, limit_bytes, 7)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < limit_bytes / 4
    assert (stub is not None) is is_answered
    if stub is not None:
        assert str(ResponseMessage.answering(stub.arrived_at("grandchild1"), []).header.target).endswith("!api")


def test_answer_above_the_limit_still_brings_an_error_to_the_caller() -> None:
    """(case G3)."""
    text = changed("response_relayed", method_kwargs={"responses": ["x" * 2000]})
    stub = messages.salvage(text, 2000, 7)
    assert isinstance(stub, ResponseMessage)
    assert stub.response_to == captures.capture("response_relayed")["response_uuid"]

"""Answers: what one cell says, and the message that brings it back."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, versions
from cells.messages import BroadcastMessage, EncodedResponse, Message, Response, ResponseMessage, TargetedMessage
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath
from tests.cases import each
from tests.json_values import JSON
from tests.unit.messages import captures
from tests.unit.messages.trees import leaving, oldest, row

UP, DOWN = Direction.UP, Direction.DOWN
OURS = ("cells.exceptions",)


def request(walked: str, direction: Direction = DOWN, **changed: Any) -> TargetedMessage:
    route = CellPath.parse(walked)
    return TargetedMessage.new(
        method="ping", route=route, target=route, direction=direction, needs_response=True, **changed
    )


def encoded(*texts: Any) -> list[EncodedResponse]:
    """Responses as they come from another cell."""
    return [EncodedResponse(text) for text in texts]


@given(JSON)
def test_value_travels_unchanged(value: Any) -> None:
    response = Response("api!east", value)
    assert Response.from_json(response.to_json(), OURS) == response


def test_error_travels_as_itself() -> None:
    text = Response("api!east", error=exceptions.CellNotFound("No az1.", cell="az1")).to_json()
    assert json.loads(text)["failure"] is True
    answer = Response.from_json(text, OURS)
    assert isinstance(answer.error, exceptions.CellNotFound)
    assert (answer.error.message, answer.error.cell, answer.value) == ("No az1.", "az1", None)


def test_error_that_is_not_allowed_travels_as_remote_error() -> None:
    answer = Response.from_json(Response("api", error=ValueError("x")).to_json(), OURS)
    assert isinstance(answer.error, exceptions.RemoteError)


@each("value", [object(), {1}, float("nan"), {(1, 2): 3}, b"x", 10**5000], ids=lambda value: type(value).__name__)
def test_value_without_a_json_form_is_refused(value: object) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        Response("api", value).to_json()


@each(
    "text",
    [
        *("", "{", "[]", "null", "5", "{}", '{"cell_name": 5}', '{"value": 1, "failure": false}', "[" * 100_000),
        *(None, 5, {}),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_answer_is_refused(text: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        Response.from_json(text, OURS)


@each("value", [None, 5, [], {}, "", "{", {"class": 1}, "[" * 100_000], ids=lambda value: repr(value)[:20])
def test_a_failure_that_cannot_be_read_is_a_remote_error(value: object) -> None:
    text = json.dumps({"cell_name": "api", "failure": True, "value": value})
    assert type(Response.from_json(text, OURS).error) is exceptions.RemoteError


@given(JSON | st.fixed_dictionaries({"cell_name": JSON | st.just("api")}, optional={"value": JSON, "failure": JSON}))
def test_any_json_is_an_answer_or_refused(value: Any) -> None:
    if isinstance(value, dict) and isinstance(value.get("cell_name"), str):
        assert Response.from_json(json.dumps(value), OURS).cell == value["cell_name"]
    else:
        with pytest.raises(exceptions.MalformedMessage):
            Response.from_json(json.dumps(value), OURS)


@each(
    ("walked", "direction", "target", "back"),
    [
        ("api!east!az1", DOWN, "az1!east!api", UP),
        ("az1!east!api", UP, "api!east!az1", DOWN),
        ("api!east", DOWN, "east!api", UP),
        ("api", DOWN, "api", UP),
    ],
)
def test_answer_goes_back_the_way_that_was_walked(
    walked: str, direction: Direction, target: str, back: Direction
) -> None:
    asked = request(walked, direction, max_hop_count=5, context={"unknown": 1}, hop_count=4)
    answer = ResponseMessage.answering(asked, encoded("one", "two"))
    assert (str(answer.header.target), str(answer.route), answer.header.direction) == (target, asked.here, back)
    assert (answer.header.hop_count, answer.header.max_hop_count, answer.needs_response) == (1, 5, False)
    assert answer.response_to == asked.id != answer.id
    assert answer.content().context is asked.content().context
    assert answer.method == "parse_responses"
    assert answer.content().kwargs["responses"] == ["one", "two"]


def test_answer_to_a_broadcast_goes_one_hop() -> None:
    asked = BroadcastMessage.new(
        method="ping", route=CellPath.parse("api!east!az1"), direction=DOWN, needs_response=True
    )
    answer = ResponseMessage.answering(asked, [])
    assert (str(answer.header.target), answer.header.direction) == ("az1!east", UP)


def test_the_request_is_not_sent_back() -> None:
    asked = request("api!east", kwargs={"large": "x" * 10_000})
    assert len(json.dumps(captures.sent(ResponseMessage.answering(asked, [])))) < 1000


def fanouts(asked: Message, neighbors: dict[str, Neighbors]) -> list[bool]:
    """Whether each hop of the answer is a fanout."""
    answer: Message = ResponseMessage.answering(asked, [])
    seen = []
    while hops := answer.plan(neighbors[answer.here], oldest).hops:
        (hop,) = hops
        sent = captures.over_the_wire(answer.along(hop))
        seen.append(sent.header.fanout)
        answer = sent.arrived_at(hop.neighbor.name)
    return seen


@each(
    ("walked", "direction", "expected"),
    [
        ("api!east", DOWN, [True]),
        ("api!east!az1", DOWN, [False, True]),
        ("az1!east!api", UP, [False, True]),
        ("az1!east!api!west", DOWN, [False, False, True]),
        ("api", DOWN, []),
    ],
)
def test_only_the_last_hop_is_fanned_out(walked: str, direction: Direction, expected: list[bool]) -> None:
    neighbors = {
        "api": Neighbors.of([row("east"), row("west")]),
        "east": Neighbors.of([row("api", is_parent=True), row("az1")]),
        "west": Neighbors.of([row("api", is_parent=True)]),
        "az1": Neighbors.of([row("east", is_parent=True)]),
    }
    assert fanouts(request(walked, direction), neighbors) == expected


def test_it_runs_at_its_end() -> None:
    came = captures.parse(captures.capture("response_fanout_last_hop")).arrived_at("api")
    assert came.plan(Neighbors.of([row("child1")]), oldest).run_here
    assert came.plan(Neighbors.of([row("child1")]), oldest).awaited is None


def test_a_relay_leaves_the_answers_untouched() -> None:
    data = captures.capture("response_relayed")
    came = captures.parse(data).arrived_at("child1")
    relayed = leaving(came, Neighbors.of([row("api", is_parent=True)]))
    assert relayed.payload is came.payload
    assert captures.sent(relayed)["method_kwargs"] == data["method_kwargs"]


def test_an_answer_that_cannot_get_back_is_a_routing_error() -> None:
    answer = ResponseMessage.answering(request("api!east!az1"), [])
    with pytest.raises(exceptions.CellNotFound):
        answer.plan(Neighbors(), oldest)


ADDRESSED = [version for version in versions.HISTORY if versions.speaks(version, versions.REPLY_SERVER)]


def last_hop(answer: Message) -> Message:
    return leaving(answer, Neighbors.of([row("api", is_parent=True)]))


@each("version", ADDRESSED)
def test_on_its_last_hop_it_is_for_the_manager_that_asked(version: str) -> None:
    answer = last_hop(ResponseMessage.answering(request("api!east", reply_server="manager-1"), []))
    sealed = answer.sealed(version, captures.LIMIT_BYTES)
    assert (sealed.server, sealed.fanout) == ("manager-1", False)
    assert captures.over_the_wire(answer, version).header.fanout is False


@each(("version", "reply_server"), [("1.0", "manager-1"), ("1.0", ""), *((version, "") for version in ADDRESSED)])
def test_where_that_is_not_known_or_cannot_be_told_it_is_for_all(version: str, reply_server: str) -> None:
    answer = last_hop(ResponseMessage.answering(request("api!east", reply_server=reply_server), []))
    sealed = answer.sealed(version, captures.LIMIT_BYTES)
    assert (sealed.server, sealed.fanout) == ("", True)


@each("version", ADDRESSED)
def test_before_its_last_hop_it_is_for_any_manager(version: str) -> None:
    answer = ResponseMessage.answering(request("api!east!az1", reply_server="manager-1"), [])
    relayed = leaving(answer, Neighbors.of([row("east", is_parent=True)]))
    sealed = relayed.sealed(version, captures.LIMIT_BYTES)
    assert (sealed.server, sealed.fanout) == ("", False)
    assert captures.sent(relayed, version)["reply_server"] == "manager-1"


def test_a_request_is_for_any_manager_whoever_gets_the_answer() -> None:
    asked = request("api!east", reply_server="manager-1", fanout=True)
    sealed = asked.sealed("1.3", captures.LIMIT_BYTES)
    assert (sealed.server, sealed.fanout) == ("", True)


def test_what_belongs_to_a_request_goes_back_with_its_answer() -> None:
    asked = request("api!east", reply_server="manager-1", traceparent="00-a-b-01", trace=(), deadline=5.0)
    answer = ResponseMessage.answering(asked, [])
    assert (answer.header.reply_server, answer.traceparent, answer.trace) == ("manager-1", "00-a-b-01", ())
    # It has been paid for: no cell on the way shall drop it because it is late.
    assert answer.deadline is None


@pytest.mark.parametrize(("reply_server", "cap"), [("manager-1", ""), ("", "1.0")])
def test_who_does_not_say_to_which_manager_is_answered_in_the_oldest_form(reply_server: str, cap: str) -> None:
    """It may have gone back to a release that reads no other, and have told nobody yet."""
    assert ResponseMessage.answering(request("api!east", reply_server=reply_server), []).header.version_cap == cap


def streamed(**named: Any) -> ResponseMessage:
    asked = BroadcastMessage.new(
        method="ping", route=CellPath.parse("api!east!az1"), direction=DOWN, needs_response=True, streams=True
    )
    return ResponseMessage.answering(asked, encoded("{}"), **named)


@each("version", list(versions.HISTORY))
def test_an_answer_says_for_whom_it_is_and_who_else_will_answer(version: str) -> None:
    answer = streamed(branch="far", passed_on_to=("near", "far"))
    kwargs = captures.over_the_wire(answer, version).content().kwargs
    assert (kwargs["branch"], kwargs["passed_on_to"], kwargs["responses"]) == ("far", ["near", "far"], ["{}"])


def test_what_there_is_not_to_say_is_not_said() -> None:
    for answer in (streamed(), streamed(branch="", passed_on_to=())):
        assert answer.content().kwargs.keys() == {"orig_message", "responses"}


def test_a_response_that_cannot_go_on_is_answered_by_itself_with_other_content() -> None:
    """A relay that must refuse it tells who waits for it."""
    came = captures.changed(
        streamed(branch="far", passed_on_to=["near"]), payload="{}", route=CellPath.parse("az1!east")
    )
    answer = ResponseMessage.answering(came, encoded("refused"))
    assert (answer.id, answer.response_to) == (came.id, came.response_to)
    assert (answer.route, answer.header.target) == (came.route, came.header.target)
    assert answer.content().kwargs["responses"] == ["refused"]


EVENTS = ({"cell": "api", "event": "asked", "at": 1.0}, {"cell": "east", "event": "answered", "at": 2.0})


def traced(*texts: object, walked: str = "east!api", payload: str | None = None) -> ResponseMessage:
    answer = ResponseMessage.answering(request("api!east", trace=EVENTS), encoded(*texts))
    changed = captures.changed(answer, route=CellPath.parse(walked))
    return changed if payload is None else captures.changed(changed, payload=payload)


@pytest.mark.parametrize("value", [1, None])
def test_at_its_end_what_was_noted_becomes_part_of_the_answer(value: object) -> None:
    content = traced(Response("api!east", value).to_json()).content()
    (text,) = content.kwargs["responses"]
    assert Response.from_json(text, OURS) == Response("api!east", value, trace=EVENTS)


@each("count", [0, 2, 3])
def test_of_no_answer_or_of_several_it_becomes_no_part(count: int) -> None:
    texts = [Response("api!east", number).to_json() for number in range(count)]
    assert traced(*texts).content().kwargs["responses"] == texts


def test_a_long_trace_of_many_answers_costs_next_to_nothing() -> None:
    """Few bytes that would make many large texts, were the trace written into each answer."""
    events = tuple({"cell": "x" * 1000, "event": "received", "at": float(number)} for number in range(100))
    texts = [Response("api!east", number).to_json() for number in range(2000)]
    came = captures.changed(traced(*texts), trace=events)
    tracemalloc.start()
    try:
        content = came.content()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert content.kwargs["responses"] == texts
    # A hundred kilobytes for each of two thousand, were it otherwise.
    assert peak_bytes < 20_000_000


def test_an_error_is_traced_as_well() -> None:
    text = Response("api!east", error=exceptions.CellNotFound("gone", cell="east")).to_json()
    (noted,) = traced(text).content().kwargs["responses"]
    answer = Response.from_json(noted, OURS)
    assert isinstance(answer.error, exceptions.CellNotFound)
    assert answer.trace == EVENTS


def test_of_an_answer_in_a_payload_it_becomes_part_just_the_same() -> None:
    text = Response("api!east", 1).to_json()
    payload = json.dumps({"ctxt": {}, "method_kwargs": {"responses": [text]}})
    (noted,) = traced(payload=payload).content().kwargs["responses"]
    assert Response.from_json(noted, OURS).trace == EVENTS


def test_on_its_way_a_trace_stays_apart_from_the_answers_and_grows() -> None:
    text = Response("api!east", 1).to_json()
    came = traced(text, walked="east")
    assert came.content() is came.payload
    assert came.recording("answer received", 3.0).trace == (
        *EVENTS,
        {"cell": "east", "event": "answer received", "at": 3},
    )


@each("text", [5, None, "", "{", "[]", "null", '{"cell_name": "a", "value": NaN}', "[" * 100_000, '{"a":' * 100_000])
def test_an_answer_that_cannot_be_read_stays_what_it_is(text: object) -> None:
    assert traced(text).content().kwargs["responses"] == [text]


def test_answers_that_are_no_list_stay_what_they_are() -> None:
    came = captures.changed(traced(), kwargs={"responses": 5})
    assert came.content().kwargs == {"responses": 5}


@each("trace", [None, 5, "text", {"a": 1}])
def test_a_trace_of_an_answer_that_is_none_is_left_out(trace: object) -> None:
    text = json.dumps({"cell_name": "api", "value": 1, "failure": False, "trace": trace})
    assert Response.from_json(text, OURS) == Response("api", 1)

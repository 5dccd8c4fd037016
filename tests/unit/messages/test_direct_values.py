"""The answers that a client can be sent directly, and the form of their value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from cells import versions
from cells.messages import (
    BroadcastMessage,
    EncodedResponse,
    Message,
    Response,
    ResponseMessage,
    TargetedMessage,
    for_client,
    parse,
)
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.unit.messages import captures, trees
from tests.unit.messages.test_response import JSON
from tests.unit.messages.trees import row

CLIENT = "4f2a@reply_1"
EAST = Neighbors.of([row("east", is_parent=True)])
NEIGHBORS = Neighbors.of([row("api", is_parent=True)])
VALUE = Response("api!east", 1).encoded()


def request(walked: str = "api!east", **changed: Any) -> TargetedMessage:
    route = CellPath.parse(walked)
    values = {"reply_to": CLIENT, "reply_server": "api-1", **changed}
    return TargetedMessage.new(
        method="ping", route=route, target=route, direction=Direction.DOWN, needs_response=True, **values
    )


def newest(_: Neighbor) -> str:
    return versions.CURRENT


def client(message: Message, neighbors: Neighbors = NEIGHBORS) -> str:
    """Where the client waits that may get the value of the message directly; empty if there is none."""
    (hop,) = message.plan(neighbors, newest).hops
    answer = for_client(message, hop)
    return "" if answer is None else answer.reply_to


def leaving(message: Message, *responses: EncodedResponse) -> ResponseMessage:
    """The answer to ``message`` as it leaves for the next cell."""
    return trees.leaving(ResponseMessage.answering(message, responses), NEIGHBORS, newest)


def received(message: Message) -> ResponseMessage:
    """The last hop of an answer that came to this cell as a text of another cell."""
    sealed = message.sealed(versions.CURRENT, 1_000_000)
    came = parse(json.loads(json.dumps(sealed.to_item())), 1_000_000, 10).arrived_at("east")
    relayed = trees.leaving(came, NEIGHBORS, newest)
    assert isinstance(relayed, ResponseMessage)
    return relayed


def from_az1(*responses: EncodedResponse) -> Message:
    """The answer of a cell two hops away, on its first hop."""
    response = ResponseMessage.answering(request("api!east!az1"), responses)
    return trees.leaving(response, EAST, newest)


@given(JSON)
def test_a_value_goes_to_the_client_as_it_is(value: Any) -> None:
    encoded = Response("api!east", value).encoded()
    message = leaving(request(), encoded)
    assert client(message) == CLIENT
    text = message.value_text()
    assert text is not None
    assert json.loads(text) == value
    # A value that this cell has encoded is not encoded again.
    assert text is encoded.value
    text = received(from_az1(encoded)).value_text()
    assert text is not None
    assert json.loads(text) == value


@pytest.mark.parametrize("version", list(versions.HISTORY))
def test_a_request_carries_the_key_from_1_4_on_and_an_answer_repeats_it_from_1_1_on(version: str) -> None:
    """Release 0.2 sent the key under 1.1 to 1.3, and reads it there."""
    message = leaving(request(), VALUE)
    assert ("reply_to" in captures.sent(message, version)) is versions.speaks(version, "1.1")
    assert ("reply_to" in captures.sent(request(), version)) is versions.speaks(version, "1.4")


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
def test_a_key_that_arrives_is_understood_at_every_version_from_1_1_on(version: str) -> None:
    came = captures.sent(request("api"), "1.4")
    data = captures.sent(request("api"), version) | {"reply_to": came["reply_to"]}
    read = parse(data if versions.speaks(version, "1.3") else json.dumps(data), 10_000, 10)
    assert read.reply_to == CLIENT
    assert captures.sent(leaving(read.arrived_at("east"), VALUE), version)["reply_to"] == CLIENT


def test_only_the_last_hop_has_a_client() -> None:
    message = from_az1(VALUE)
    assert client(message, EAST) == ""
    assert client(received(message)) == CLIENT


def test_no_other_message_has_a_client() -> None:
    assert client(captures.changed(request("east"), target=CellPath.parse("east!api"), direction=Direction.UP)) == ""
    here = CellPath.parse("east")
    assert client(BroadcastMessage.new(method="ping", route=here, direction=Direction.UP, reply_to=CLIENT)) == ""
    assert client(leaving(request(reply_to=""), VALUE)) == ""
    # The manager that asked completes a trace.
    assert client(leaving(request(trace=()), VALUE)) == ""


@pytest.mark.parametrize(
    "texts",
    [
        [Response("api!east", error=ValueError("no")).to_json()],
        *([], [VALUE.text, VALUE.text], ["no JSON"], ["[" * 100_000], ["[]"], ['{"cell_name": "api!east"}']),
        ['{"cell_name": "api!east", "value": 1}'],
        ['{"cell_name": "api!east", "value": 1, "failure": null}'],
        ['{"cell_name": "api!east", "value": NaN, "failure": false}'],
        # The client could not read them.
        [f'{{"cell_name": "api!east", "value": {"1" * 5000}, "failure": false}}'],
        ['{"cell_name": "api!east", "value": 1e999, "failure": false}'],
        ['{"cell_name": "api!east", "value": "\\q", "failure": false}'],
    ],
    ids=lambda texts: repr(texts)[:40],
)
def test_the_manager_gets_what_is_more_than_a_value(texts: list[str]) -> None:
    responses = [EncodedResponse(text) for text in texts]
    assert leaving(request(), *responses).value_text() is None
    assert received(from_az1(*responses)).value_text() is None


def test_an_error_of_this_cell_is_not_a_value() -> None:
    error = Response("api!east", error=ValueError("no")).encoded()
    assert leaving(request(), error).value_text() is None


@pytest.mark.parametrize("payload", ["no JSON", "[]", '{"ctxt": {}, "method_kwargs": {"responses": 1}}'])
def test_the_manager_gets_what_can_not_be_read(payload: str) -> None:
    assert captures.changed(received(from_az1(VALUE)), payload=payload).value_text() is None


def test_the_manager_hears_that_its_client_was_answered() -> None:
    message = leaving(request(), VALUE)
    notice = message.delivered(EncodedResponse("told"))
    data = notice.content().kwargs
    assert data["responses"] == ["told"]
    assert json.loads(data["orig_message"])["uuid"] == message.response_to
    head = captures.sent(notice, "1.4")
    assert "reply_to" not in head
    assert (notice.header.server("1.4"), head["response_uuid"]) == ("api-1", message.response_to)
    assert notice.value_text() is None

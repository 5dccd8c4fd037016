"""Which answers a client can be sent itself, and as what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from cells import exceptions, versions
from cells.messages import ANSWERED, BroadcastMessage, Message, Response, ResponseMessage, TargetedMessage, parse
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath
from cells.transport.reply_address import ReplyAddress
from tests.unit.messages import captures
from tests.unit.messages.test_response import JSON
from tests.unit.messages.trees import row

CLIENT = ReplyAddress("4f2a", "reply_1")
NEIGHBORS = Neighbors.of([row("api", is_parent=True)])


def request(walked: str = "api!east", **changed: Any) -> TargetedMessage:
    route = CellPath.parse(walked)
    values = {"reply_to": str(CLIENT), "reply_server": "api-1", **changed}
    return TargetedMessage(
        method="ping", route=route, target=route, direction=Direction.DOWN, needs_response=True, **values
    )


def leaving(message: Message, *texts: str) -> Message:
    """The answer to ``message`` as it leaves for the next cell."""
    response = ResponseMessage.answering(message, texts)
    (hop,) = response.plan(NEIGHBORS, lambda _: "1.3").hops
    return hop.message


@settings(max_examples=30, deadline=None)
@given(JSON)
def test_a_value_goes_to_the_client_as_it_is(value: Any) -> None:
    reply = leaving(request(), Response("api!east", value).to_json()).client_reply("1.3")
    assert reply is not None
    assert reply.reply_to == CLIENT
    assert json.loads(reply.to_json()) == value
    # With what is kept for the manager, should the client not be there.
    assert reply.size_bytes >= 2 * len(reply.to_json())
    assert not reply.is_late(1e9)


@pytest.mark.parametrize("version", list(versions.HISTORY))
def test_a_request_carries_the_key_from_1_4_on_and_an_answer_repeats_it_from_1_1_on(version: str) -> None:
    """Release 0.2 sent the key under 1.1 to 1.3, and reads it there."""
    message = leaving(request(), Response("api!east", 1).to_json())
    assert (message.client_reply(version) is not None) is versions.speaks(version, "1.1")
    assert ("reply_to" in message.head(version)) is versions.speaks(version, "1.1")
    assert ("reply_to" in request().head(version)) is versions.speaks(version, "1.4")


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
def test_a_key_that_arrives_is_understood_at_every_version_from_1_1_on(version: str) -> None:
    came = captures.over_the_wire(request("api").but(target=CellPath.parse("api!east")), "1.4").to_dict("1.4")
    data = captures.sent(request("api"), version) | {"reply_to": came["reply_to"]}
    read = parse(data if versions.speaks(version, "1.3") else json.dumps(data), 10_000, 10)
    assert read.reply_to == str(CLIENT)
    assert captures.sent(leaving(read.arrived_at("east"), VALUE), version)["reply_to"] == str(CLIENT)


def test_on_its_way_back_it_goes_from_cell_to_cell() -> None:
    response = ResponseMessage.answering(request("api!east!az1"), [Response("api!east!az1", 1).to_json()])
    (hop,) = response.plan(Neighbors.of([row("east", is_parent=True)]), lambda _: "1.3").hops
    assert hop.message.client_reply("1.3") is None
    # In the last cell but one it comes as a text of another cell.
    came = parse(hop.message.sealed("1.3", 10_000).to_item(), 10_000, 10).arrived_at("east")
    (hop,) = came.plan(NEIGHBORS, lambda _: "1.3").hops
    reply = hop.message.client_reply("1.3")
    assert reply is not None
    assert (reply.reply_to, reply.to_json()) == (CLIENT, "1")


VALUE = Response("api!east", 1).to_json()


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (request(reply_to=""), [VALUE]),
        (request(reply_to="4f2a@cells.intercell.response"), [VALUE]),
        (request(trace=()), [VALUE]),
        (request(), [Response("api!east", error=ValueError("no")).to_json()]),
        (request(), []),
        (request(), [VALUE, VALUE]),
        (request(), ["no JSON"]),
        (request(), ["[" * 100_000]),
        (request(), ["[]"]),
        (request(), ['{"cell_name": "api!east"}']),
        (request(), ['{"cell_name": "api!east", "value": 1}']),
        (request(), ['{"cell_name": "api!east", "value": 1, "failure": null}']),
        (request(), ['{"cell_name": "api!east", "value": NaN, "failure": false}']),
    ],
)
def test_the_manager_gets_what_is_more_than_a_value(message: TargetedMessage, texts: list[str]) -> None:
    assert leaving(message, *texts).client_reply("1.3") is None


@pytest.mark.parametrize("payload", ["no JSON", "[]", '{"ctxt": {}, "method_kwargs": {"responses": 1}}'])
def test_the_manager_gets_what_can_not_be_read(payload: str) -> None:
    message = leaving(request(), VALUE).but(payload=payload)
    assert message.client_reply("1.3") is None


def test_no_other_message_has_an_answer_in_it() -> None:
    assert request().client_reply("1.3") is None
    here = CellPath.parse("api")
    assert BroadcastMessage(method="ping", route=here, direction=Direction.DOWN).client_reply("1.3") is None


def test_the_manager_hears_that_its_client_was_answered() -> None:
    message = leaving(request(), VALUE)
    assert isinstance(message, ResponseMessage)
    told = message.answered()
    data = json.loads(told.payload_text)["method_kwargs"]
    assert data["responses"] == [ANSWERED]
    # Who has not asked for that takes it for an error.
    assert isinstance(Response.read_one(data["responses"], ()).error, exceptions.MalformedMessage)
    assert json.loads(data["orig_message"])["uuid"] == message.response_to
    head = told.head("1.3")
    assert "reply_to" not in head
    assert (told.server("1.3"), head["response_uuid"]) == ("api-1", message.response_to)


def test_it_shares_no_cast() -> None:
    reply = leaving(request(), VALUE).client_reply("1.3")
    assert reply is not None
    assert not reply.may_share_a_cast
    with pytest.raises(TypeError, match="travels alone"):
        reply.to_item()

"""What Nova's service sends is read; what we send has the same keys and types."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from cells.context import get_admin_context
from cells.messages import BroadcastMessage, Message, Response, ResponseMessage, TargetedMessage
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory
from tests.unit.messages import captures
from tests.unit.messages.trees import leaving, row

NAMES = captures.NAMES


def test_there_are_captures_of_every_kind() -> None:
    assert {captures.capture(name)["message_type"] for name in NAMES} == {"targeted", "broadcast", "response"}
    assert len(NAMES) >= 10


@each("name", NAMES)
def test_every_capture_is_read_and_written_back_the_same(name: str) -> None:
    data = captures.capture(name)
    message = captures.parse(data)
    assert captures.sent(message) == data


@each("name", NAMES)
def test_every_capture_says_what_it_says(name: str) -> None:
    data = captures.capture(name)
    message = captures.parse(data)
    assert (message.method, message.id, str(message.route)) == (data["method_name"], data["uuid"], data["routing_path"])
    assert (message.header.fanout, message.needs_response) == (data["fanout"], data["need_response"])
    assert (message.header.hop_count, message.header.max_hop_count) == (data["hop_count"], data["max_hop_count"])
    assert message.header.direction is Direction(data["direction"])
    assert (message.content().kwargs, message.content().context) == (data["method_kwargs"], data["ctxt"])
    assert message.response_to == data.get("response_uuid")


def test_a_relayed_request_is_the_request_one_hop_later() -> None:
    for name in ("targeted_request", "broadcast_request"):
        message = captures.parse(captures.capture(name)).arrived_at("child1")
        relayed = leaving(message, Neighbors.of([row("api", is_parent=True), row("grandchild1")]))
        assert captures.sent(relayed) == captures.capture(f"{name}_relayed")


def test_the_last_hop_of_a_response_is_fanned_out() -> None:
    message = captures.parse(captures.capture("response_relayed")).arrived_at("child1")
    relayed = leaving(message, Neighbors.of([row("api", is_parent=True), row("grandchild1")]))
    assert captures.sent(relayed) == captures.capture("response_fanout_last_hop")


def request(name: str) -> dict[str, Any]:
    """The fields of our own message that shall look like a capture."""
    message = captures.parse(captures.capture(name))
    return {
        "method": message.method,
        "kwargs": message.content().kwargs,
        "context": get_admin_context().to_dict(),
        "direction": message.header.direction,
        "needs_response": message.needs_response,
    }


def first_hop(message: Message) -> Message:
    neighbors = [
        row("api", is_parent=message.header.direction is Direction.UP),
        row("child1", is_parent=message.here != "api"),
    ]
    return leaving(message, Neighbors.of([found for found in neighbors if found.name != message.here]))


def targeted() -> Message:
    target = CellPath.parse("api!child1!grandchild1")
    return first_hop(TargetedMessage.new(**request("targeted_request"), route=target[:1], target=target))


def broadcast() -> Message:
    return first_hop(BroadcastMessage.new(**request("broadcast_request"), route=CellPath(["api"])))


def answer_to(name: str, cell: str, *responses: Response) -> Message:
    message = captures.parse(captures.capture(name)).arrived_at(cell)
    return first_hop(ResponseMessage.answering(message, [response.encoded() for response in responses]))


def relayed(message: Message) -> Message:
    return first_hop(captures.over_the_wire(message).arrived_at("child1"))


def response() -> Message:
    return answer_to("targeted_request_relayed", "grandchild1", Response("api!child1!grandchild1", "pong"))


def gathered_response() -> Message:
    responses = [Response("api!child1!grandchild1", "pong"), Response("api!child1", "pong")]
    return answer_to("broadcast_request", "child1", *responses)


def failure_response() -> Message:
    with pytest.raises(exceptions.CellNotFound) as caught:
        raise exceptions.CellNotFound("No host.", cell="nosuchhost")
    # Nova's service sends its tracebacks.
    failed = Response("api!child1!grandchild1", error=caught.value, with_traceback=True)
    ours = answer_to("targeted_request_relayed", "grandchild1", failed)
    # The capture answers another request than the captured one.
    return relayed(dataclasses.replace(ours, response_to=captures.capture("response_with_failure")["response_uuid"]))


def told_by_a_cell(method: str) -> Message:
    capabilities = {"hypervisor": ["a", "b"], "os": ["c", "d"]}
    with CellInMemory("grandchild1", parents=["child1"], capabilities=capabilities) as cell:
        getattr(cell.service.announcer, method)()
        return captures.parse(cell.next_text("child1"))


@each(
    ("name", "make"),
    [
        ("targeted_request", targeted),
        ("broadcast_request", broadcast),
        ("response_relayed", response),
        ("response_fanout_last_hop", lambda: relayed(response())),
        ("broadcast_response_aggregated", gathered_response),
        ("response_with_failure", failure_response),
        ("update_capabilities_up", lambda: told_by_a_cell("send_capabilities")),
        ("update_capacities_up", lambda: told_by_a_cell("send_capacities")),
    ],
)
def test_what_we_send_has_the_keys_and_types_of_the_capture(name: str, make: Callable[[], Message]) -> None:
    theirs, ours = captures.capture(name), captures.sent(make())
    assert captures.shape(ours) == captures.shape(theirs)
    # Everything that is not told by chance, time, or the choice of this release is the very same.
    chance = ("ctxt", "uuid", "method_kwargs")
    assert {key: value for key, value in ours.items() if key not in chance} == {
        key: value for key, value in theirs.items() if key not in chance
    }


@pytest.mark.parametrize("name", ["response_relayed", "broadcast_response_aggregated"])
def test_a_response_answers_with_the_same_texts(name: str) -> None:
    ours = {"response_relayed": response, "broadcast_response_aggregated": gathered_response}[name]()
    theirs = captures.capture(name)["method_kwargs"]["responses"]
    assert [json.loads(text) for text in ours.content().kwargs["responses"]] == [json.loads(text) for text in theirs]


def test_a_failure_has_the_keys_and_types_of_the_capture() -> None:
    def failure(message: dict[str, Any]) -> tuple[Any, Any]:
        (text,) = message["method_kwargs"]["responses"]
        outer = json.loads(text)
        inner = json.loads(outer["value"])
        assert inner["tb"]
        return captures.shape(outer), {key: type(value) for key, value in inner.items()}

    theirs, ours = captures.capture("response_with_failure"), captures.sent(failure_response())
    assert failure(ours) == failure(theirs)


def test_orig_message_is_a_short_json_text() -> None:
    original = json.loads(response().content().kwargs["orig_message"])
    assert original == {"uuid": captures.capture("targeted_request")["uuid"], "method_name": "ping"}


def test_a_failure_of_novas_is_understood() -> None:
    (text,) = captures.parse(captures.capture("response_with_failure")).content().kwargs["responses"]
    answer = Response.from_json(text, ("cells.exceptions",))
    assert answer.cell == "api!child1!grandchild1"
    assert isinstance(answer.error, exceptions.RemoteError)
    assert answer.error.exc_type == "ComputeHostNotFound"
    assert answer.error.value == "Compute host nosuchhost could not be found."
    assert answer.error.traceback
    assert answer.error.traceback[0].startswith("Traceback")


def test_an_answer_of_novas_is_understood() -> None:
    texts = captures.parse(captures.capture("broadcast_response_aggregated")).content().kwargs["responses"]
    assert [Response.from_json(text, ()) for text in texts] == [
        Response("api!child1!grandchild1", "pong"),
        Response("api!child1", "pong"),
    ]

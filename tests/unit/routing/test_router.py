"""Received messages: each is handled by itself, whatever else is in its cast, and its reply goes to its source."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.drivers.base import MAX_MESSAGES_OF_CAST
from cells.endpoints import Call, endpoint
from cells.messages import Response
from cells.routing.forwarding import BACK_PRESSURE_SECONDS
from tests.unit.endpoints.cells_in_memory import CellInMemory

#: The only manager of api.
MANAGER = "api"
OURS = ("cells.exceptions",)


@pytest.fixture
def east() -> Iterator[CellInMemory]:
    """A cell between api and az1; all three speak 1.3, and its manager is h1."""
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        speak(cell, api="1.3", az1="1.3")
        yield cell


def speak(cell: CellInMemory, **versions: str) -> None:
    for name, version in versions.items():
        cell.table.record_description(name, {"version": version, "host": name})


def item(**changed: Any) -> dict[str, Any]:
    """A call from api to east, as one of many in a cast."""
    message = {"message_type": "targeted", "method_name": "ping", "direction": "down", "need_response": True}
    message |= {"fanout": False, "uuid": "m", "routing_path": "api", "target_cell": "api!east"}
    message |= {"hop_count": 1, "max_hop_count": 10, "reply_server": MANAGER, "time_left": 60.0}
    return message | {"payload": json.dumps({"ctxt": {}, "method_kwargs": {}})} | changed


def broadcast(**changed: Any) -> dict[str, Any]:
    data = item(message_type="broadcast", **changed)
    del data["target_cell"]
    return data


def answers(cell: CellInMemory, neighbor: str, count: int) -> dict[str, Response]:
    """Return the next answers that a neighbor gets, by the answered message."""
    found: dict[str, Response] = {}
    while len(found) < count:
        for sent in cell.next_cast(neighbor):
            assert sent["message_type"] == "response"
            (text,) = json.loads(sent["payload"])["method_kwargs"]["responses"]
            found[sent["response_uuid"]] = Response.from_json(text, OURS)
    return found


def problem(response: Response) -> str:
    """Return the class of the error in a response; empty if the response is a value."""
    return "" if response.error is None else type(response.error).__name__.removesuffix("_Remote")


#: A broken message, and the error that its sender gets; None if the message does not name its sender.
BROKEN: list[tuple[Any, type[Exception] | None]] = [
    *((broken, None) for broken in (None, 5, "text", [], {}, {"need_response": True, "uuid": "x"})),
    (item(uuid="b1", payload=5), exceptions.MalformedMessage),
    (item(uuid="b2", payload="{"), exceptions.MalformedMessage),
    (item(uuid="b3", time_left="soon"), exceptions.MalformedMessage),
    (item(uuid="b4", time_left=float("nan")), exceptions.MalformedMessage),
    (item(uuid="b5", trace=[{"at": float("nan")}]), exceptions.MalformedMessage),
    (item(uuid="b6", message_type="unknown"), exceptions.UnknownMessageType),
    (item(uuid="b7", method_name="no_such"), exceptions.UnknownMethod),
    (item(uuid="b8", target_cell="api!east!nowhere"), exceptions.CellNotFound),
    (item(uuid="b9", payload="x" * (4 * 1024 * 1024 + 1)), exceptions.MessageTooLarge),
    (broadcast(uuid="b10", stream="perhaps"), exceptions.MalformedMessage),
]


def test_a_broken_message_affects_no_other_message_of_its_cast(east: CellInMemory) -> None:
    cast = [one for number, (broken, _) in enumerate(BROKEN) for one in (broken, item(uuid=f"good{number}"))]
    east.router.receive(cast)
    told = {broken["uuid"]: error.__name__ for broken, error in BROKEN if error is not None}
    got = answers(east, "api", len(BROKEN) + len(told))
    assert {name: problem(response) for name, response in got.items()} == {
        **{f"good{number}": "" for number in range(len(BROKEN))},
        **told,
    }
    assert "rejected.Bug" not in east.counters.as_dict()


def test_a_message_that_cannot_be_forwarded_affects_no_other_message_of_its_cast(east: CellInMemory) -> None:
    east.table.replace([*east.table.snapshot().parents.values()])
    onward = item(uuid="onward", target_cell="api!east!az1")
    east.router.receive([onward, item(uuid="here"), onward | {"uuid": "again"}])
    got = answers(east, "api", 3)
    assert {name: problem(response) for name, response in got.items()} == {
        "onward": "CellNotFound",
        "here": "",
        "again": "CellNotFound",
    }


@pytest.mark.parametrize("came", [None, 5, {}, "", "{", [], [None], [[]], [{}]])
def test_no_input_ends_the_receiving(east: CellInMemory, came: object) -> None:
    east.router.receive(came)
    east.router.receive([item(uuid="next")])
    assert "next" in answers(east, "api", 1)
    assert "rejected.Bug" not in east.counters.as_dict()


def test_messages_are_forwarded_in_their_order(east: CellInMemory) -> None:
    cast = [item(uuid=str(number), target_cell="api!east!az1") for number in range(50)]
    east.router.receive(cast)
    sent: list[Any] = []
    while len(sent) < 50:
        sent += east.next_cast("az1")
    assert [one["uuid"] for one in sent] == [one["uuid"] for one in cast]
    assert {one["routing_path"] for one in sent} == {"api!east"}
    assert {one["reply_server"] for one in sent} == {MANAGER}
    assert all(0 < one["time_left"] < 60.0 for one in sent)
    assert east.counters.as_dict()["received"] == 50


@pytest.mark.parametrize("target", ["api!east", "api!east!az1"])
def test_a_cast_of_too_many_messages_is_refused_as_a_whole_and_counted(
    east: CellInMemory, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    cast = [item(uuid=str(number), target_cell=target) for number in range(MAX_MESSAGES_OF_CAST + 1)]
    east.router.receive(cast)
    assert east.counters.as_dict() == {"rejected.MessageTooLarge": len(cast)}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"A cast of {len(cast)} messages is refused: {MAX_MESSAGES_OF_CAST} is the most."
    ]
    east.router.receive(cast[1:])
    assert east.counters.as_dict()["received"] == MAX_MESSAGES_OF_CAST
    next_cell, came = ("api" if target == "api!east" else "az1"), list[Any]()
    while len(came) < MAX_MESSAGES_OF_CAST:
        came += east.next_cast(next_cell)
    key = "response_uuid" if next_cell == "api" else "uuid"
    assert {one[key] for one in came} == {one["uuid"] for one in cast[1:]}


def test_received_messages_are_counted_whether_they_are_forwarded_or_run_here(east: CellInMemory) -> None:
    east.router.receive([item(uuid="here"), item(uuid="onward", target_cell="api!east!az1"), None])
    assert {name: count for name, count in east.counters.as_dict().items() if name != "sent"} == {
        "received": 2,
        "rejected.MalformedMessage": 1,
    }


def test_requests_wait_for_room_and_answers_do_not(east: CellInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers arrive on a thread of their own, where no message may delay the answers of others."""
    patience: dict[str, float] = {}
    send = east.service.links.send

    def note(cell: Any, requests: Any, *, room_deadline: float = 0.0) -> None:
        for message, *_ in requests:
            patience[message.message_type] = room_deadline - time.monotonic() if room_deadline else 0.0
        send(cell, requests, room_deadline=room_deadline)

    monkeypatch.setattr(east.service.links, "send", note)
    texts = [Response("api!east!az1", "pong").to_json()]
    east.router.receive([item(target_cell="api!east!az1")])
    east.router.receive([answer_of_az1(texts, target_cell="az1!east!api")])
    assert patience == {"targeted": pytest.approx(BACK_PRESSURE_SECONDS, abs=BACK_PRESSURE_SECONDS / 2), "response": 0}


def test_a_source_learns_at_once_which_cells_to_wait_for_if_the_endpoint_may_block(east: CellInMemory) -> None:
    go_on = threading.Event()

    @endpoint
    def slow(call: Call) -> str:  # the signature of an endpoint
        assert go_on.wait(30), "The test never let go"
        return "done"

    east.endpoints.add(slow)
    east.router.receive([broadcast(stream=True, method_name="slow")])
    (early,) = east.next_cast("api")
    arguments = json.loads(early["payload"])["method_kwargs"]
    assert (early["target_cell"], early["reply_server"], early["response_uuid"]) == ("east!api", MANAGER, "m")
    assert (arguments["responses"], arguments["passed_on_to"]) == ([], ["az1"])
    go_on.set()
    (own,) = east.next_cast("api")
    arguments = json.loads(own["payload"])["method_kwargs"]
    assert (responses(own), arguments["passed_on_to"]) == ({"api!east"}, ["az1"])
    assert len(east.pending) == 0


def test_a_late_message_is_not_run_and_its_sender_gets_an_error(east: CellInMemory) -> None:
    east.router.receive([item(uuid="late", time_left=0.0), item(uuid="in time")])
    got = answers(east, "api", 2)
    assert isinstance(got["late"].error, exceptions.CellTimeout)
    assert got["in time"].error is None
    assert east.counters.as_dict()["dropped.late"] == 1


def test_a_late_message_is_not_forwarded_either(east: CellInMemory) -> None:
    east.router.receive([item(uuid="late", time_left=-1.0, target_cell="api!east!az1")])
    assert isinstance(answers(east, "api", 1)["late"].error, exceptions.CellTimeout)
    east.router.receive([item(uuid="next", target_cell="api!east!az1")])
    assert [sent["uuid"] for sent in east.next_cast("az1")] == ["next"]


def test_a_gathering_cell_is_the_address_of_the_answers_of_its_branch(east: CellInMemory) -> None:
    """The manager of this cell waits for them."""
    east.router.receive([broadcast()])
    (passed_on,) = east.next_cast("az1")
    assert (passed_on["reply_server"], passed_on.get("stream", False)) == ("h1", False)
    assert 0 < passed_on["time_left"] < 60.0
    assert len(east.pending) == 1
    texts = [Response(path, "pong").to_json() for path in ("api!east!az1", "api!east!az1!far")]
    east.router.receive([answer_of_az1(texts, target_cell="az1!east")])
    (gathered,) = east.next_cast("api")
    assert gathered["reply_server"] == MANAGER
    assert responses(gathered) == {"api!east", "api!east!az1", "api!east!az1!far"}
    assert len(east.pending) == 0


def answer_of_az1(texts: list[str], **changed: Any) -> dict[str, Any]:
    kwargs = {"responses": texts, "orig_message": "{}"}
    payload = json.dumps({"ctxt": {}, "method_kwargs": kwargs})
    fields = {"uuid": "answer", "routing_path": "az1", "response_uuid": "m", "payload": payload, **changed}
    return item(message_type="response", method_name="parse_responses", direction="up", need_response=False, **fields)


def responses(sent: dict[str, Any]) -> set[str]:
    texts = json.loads(sent["payload"])["method_kwargs"]["responses"]
    return {Response.from_json(text, OURS).cell for text in texts}


def test_a_streaming_cell_keeps_no_state_and_is_not_the_address_of_answers(east: CellInMemory) -> None:
    east.router.receive([broadcast(stream=True)])
    (passed_on,) = east.next_cast("az1")
    assert (passed_on["reply_server"], passed_on["stream"]) == (MANAGER, True)
    (own,) = east.next_cast("api")
    assert (own["target_cell"], own["reply_server"], responses(own)) == ("east!api", MANAGER, {"api!east"})
    assert json.loads(own["payload"])["method_kwargs"]["passed_on_to"] == ["az1"]
    assert len(east.pending) == 0
    # The answer from below is only forwarded.
    east.router.receive([answer_of_az1([Response("api!east!az1", "pong").to_json()], target_cell="az1!east!api")])
    (theirs,) = east.next_cast("api")
    assert (theirs["routing_path"], responses(theirs)) == ("az1!east", {"api!east!az1"})


def test_the_gathered_answers_of_an_older_neighbor_are_streamed(east: CellInMemory) -> None:
    speak(east, az1="1.1")
    east.router.receive([broadcast(stream=True)])
    passed_on = east.next_text("az1")
    assert (passed_on["reply_server"], "stream" in passed_on) == ("h1", False)
    (own,) = east.next_cast("api")
    assert json.loads(own["payload"])["method_kwargs"]["passed_on_to"] == ["az1"]
    assert len(east.pending) == 1
    texts = [Response(path, "pong").to_json() for path in ("api!east!az1", "api!east!az1!far")]
    east.router.receive([answer_of_az1(texts, target_cell="az1!east")])
    (theirs,) = east.next_cast("api")
    assert (theirs["target_cell"], theirs["reply_server"]) == ("east!api", MANAGER)
    assert json.loads(theirs["payload"])["method_kwargs"]["branch"] == "az1"
    assert responses(theirs) == {"api!east!az1", "api!east!az1!far"}
    assert len(east.pending) == 0

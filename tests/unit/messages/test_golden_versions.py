"""What we send at 1.1 to 1.4 has the keys and types of our own golden files, which are what cells in use speak.

A change that breaks one of these tests needs a version of its own: a neighbor may run the release before it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cells import messages, versions
from cells.messages import BroadcastMessage, Message, Response, ResponseMessage, TargetedMessage
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath
from tests.unit.messages import captures
from tests.unit.messages.trees import leaving, row

NEW_VERSIONS = [version for version in versions.HISTORY if version != versions.OLDEST]
#: Seconds that the source of the golden files waits, and those that it tells the next cell.
SECONDS, TIME_LEFT = 60.0, 59.5
REQUEST = {
    "method": "ping",
    "kwargs": {"path": "/", "depth": 2},
    "context": {"user_id": "ada", "request_id": "req-b38f0939-dbe1-4a9f-ba97-a9b8ab46a3ff", "is_admin": True},
    "route": CellPath(["api"]),
    "direction": Direction.DOWN,
    "needs_response": True,
    "id": "e6a50077-7ae7-4aa6-ae1f-b9521534bbd2",
    "reply_server": "manager-1.example.com",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
CLIENT = "5b1c1a0e6c5e4d0f8f7a9c2b3d4e5f60@reply_0f9e8d7c6b5a49382716050493827160"
ANSWER_ID = "904d3989-432f-4b69-a6f8-ec9faeaa65f0"
ASKED = {"cell": "api", "event": "asked", "at": 1795300000.25}
TREE = {
    "api": Neighbors.of([row("east")]),
    "east": Neighbors.of([row("api", is_parent=True), row("az1")]),
    "az1": Neighbors.of([row("east", is_parent=True), row("far")]),
}


def hop(message: Message, version: str) -> Message:
    """What leaves the cell where the message is."""
    return leaving(message, TREE[message.here], lambda _: version)


def targeted(version: str) -> Message:
    message = TargetedMessage.new(**REQUEST, target=CellPath.parse("api!east!az1"))
    if versions.speaks(version, versions.REPLY_TO):
        message = captures.changed(message, reply_to=CLIENT)
    return hop(captures.changed(message, deadline=time.monotonic() + SECONDS), version)


def traced(version: str) -> Message:
    return captures.changed(targeted(version), trace=(ASKED,))


def broadcast(version: str) -> Message:
    return hop(BroadcastMessage.new(**REQUEST, deadline=time.monotonic() + SECONDS, streams=True), version)


def relayed(make: Callable[[str], Message], version: str, *cells: str) -> Message:
    """The message of ``make`` as it is when it has come through some cells."""
    message = make(version)
    for number, cell in enumerate(cells):
        if number:
            message = hop(message, version)
        message = captures.over_the_wire(message, version, time.monotonic()).arrived_at(cell)
    return message


def answer(make: Callable[[str], Message], version: str, *cells: str, **named: Any) -> Message:
    """What the last of ``cells`` answers to the message of ``make``, as it leaves that cell."""
    came = relayed(make, version, *cells)
    responses = [Response(str(came.route), {"cell": cells[-1]}).encoded()]
    return hop(
        captures.changed(ResponseMessage.answering(captures.opened(came), responses, **named), id=ANSWER_ID), version
    )


def response(version: str) -> Message:
    return answer(targeted, version, "east", "az1")


def response_on_its_last_hop(version: str) -> Message:
    return hop(captures.over_the_wire(response(version), version).arrived_at("east"), version)


def response_with_a_trace(version: str) -> Message:
    return answer(traced, version, "east", "az1")


def response_of_one_cell(version: str) -> Message:
    return answer(broadcast, version, "east", "az1", passed_on_to=["far"])


def response_of_a_branch(version: str) -> Message:
    return answer(broadcast, version, "east", "az1", branch="far")


def response_with_all_answers(version: str) -> Message:
    return answer(broadcast, version, "east")


EVERYWHERE: dict[str, Callable[[str], Message]] = {
    "targeted": targeted,
    "targeted_with_a_trace": traced,
    "broadcast": broadcast,
    "response": response,
    "response_on_its_last_hop": response_on_its_last_hop,
    "response_with_a_trace": response_with_a_trace,
}
MAKERS = {
    **{(version, name): make for version in NEW_VERSIONS for name, make in EVERYWHERE.items()},
    ("1.1", "response_with_all_answers"): response_with_all_answers,
    **{
        (version, make.__name__): make
        for version in ("1.2", "1.3", "1.4")
        for make in (response_of_one_cell, response_of_a_branch)
    },
}
CASES = pytest.mark.parametrize(("version", "name"), sorted(MAKERS))


def golden(version: str, name: str) -> Any:
    """The message of a golden file, as it comes from the wire."""
    return json.loads((captures.GOLDEN / version / f"{name}.json").read_text())["message"]


def read(data: dict[str, Any], version: str) -> Message:
    came = data if versions.speaks(version, versions.BATCHES) else json.dumps(data)
    return messages.parse(came, captures.LIMIT_BYTES, 10, now=time.monotonic())


def test_there_is_a_golden_file_for_each_of_them_and_no_other() -> None:
    found = {(path.parent.name, path.stem) for path in captures.GOLDEN.glob("*/*.json")}
    assert found == MAKERS.keys()
    for version in NEW_VERSIONS:
        assert {golden(version, name)["message_type"] for of, name in MAKERS if of == version} == set(
            messages.MESSAGE_TYPES
        )


@CASES
def test_what_we_send_has_the_keys_types_and_values_of_the_golden_file(version: str, name: str) -> None:
    theirs, ours = golden(version, name), captures.sent(MAKERS[version, name](version), version)
    assert captures.shape(ours) == captures.shape(theirs)
    # The text that cells on the way do not read is a JSON object, and has a shape, too.
    for data in (theirs, ours):
        if "payload" in data:
            data["payload"] = json.loads(data["payload"])
    assert captures.shape(ours) == captures.shape(theirs)
    assert ours.pop("time_left", TIME_LEFT) == pytest.approx(theirs.pop("time_left", TIME_LEFT), abs=0.4)
    assert ours == theirs


@CASES
def test_a_golden_file_is_read_as_what_was_sent(version: str, name: str) -> None:
    message, made = read(golden(version, name), version), MAKERS[version, name](version)
    if made.deadline is not None:
        assert message.deadline == pytest.approx(made.deadline - SECONDS + TIME_LEFT, abs=5.0)
    assert captures.changed(captures.opened(message), deadline=None) == captures.changed(
        captures.opened(made), deadline=None, fanout=made.header.fanout and not made.header.server(version)
    )


@CASES
def test_a_golden_file_is_written_again_as_it_was(version: str, name: str) -> None:
    data = golden(version, name)
    written = captures.sent(read(data, version), version)
    # A message that is read has not arrived: nothing but the time has changed.
    assert written.pop("time_left", 0) <= data.pop("time_left", 0)
    assert written == data

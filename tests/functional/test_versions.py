"""Versions of the inter-cell API: each adds features to the messages on a link, and a lower cap removes them.

The cap may be the cap for all neighbors or for one, the announced version of the neighbor, or the lowest of these.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.reply import Reply
from tests.cases import each
from tests.functional.cell_tree import CONTEXT, wait_for
from tests.functional.notes import Notes
from tests.functional.wire_tap import VERSIONS, Arrival, VersionTree
from tests.thorough import cases
from tests.unit.messages import captures

SHAPE = {"api": {"east": {"az1": {}}}}
ALL = ["api", "api!east", "api!east!az1"]
LINKS = [("api", "east"), ("east", "api"), ("east", "az1"), ("az1", "east")]
CURRENT = VERSIONS[-1]
TIMEOUT_SECONDS = 30.0
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Way = Callable[[str], dict[str, Any]]


def global_cap(version: str) -> dict[str, Any]:
    return {"options": {"upgrade_levels": {"intercell": version}}}


def neighbor_caps(version: str) -> dict[str, Any]:
    return {"caps": dict.fromkeys(LINKS, version)}


def announced(version: str) -> dict[str, Any]:
    """The middle cell has an older release, which needs no configuration."""
    return {"releases": {"east": version}}


WAYS: dict[str, Way] = {
    "global": global_cap,
    "neighbor": neighbor_caps,
    "auto": announced,
    "auto-in-words": lambda version: {**global_cap("auto"), **neighbor_caps("auto"), **announced(version)},
    "global-below-neighbor": lambda version: {**global_cap(version), **neighbor_caps(CURRENT)},
    "neighbor-below-global": lambda version: {**global_cap(CURRENT), **neighbor_caps(version)},
    "announced-below-both": lambda version: {**global_cap(CURRENT), **neighbor_caps(CURRENT), **announced(version)},
}
#: Few cases have each version with one way, and each way with a version above and below the other.
CASES = cases(
    [(version, way) for way in WAYS for version in (VERSIONS if way in ("global", "neighbor", "auto") else ("1.1",))],
    [
        *((version, "global") for version in VERSIONS),
        *(("1.0", "neighbor"), ("1.3", "neighbor"), ("1.1", "auto"), ("1.2", "auto")),
        *(("1.1", way) for way in WAYS if way not in ("global", "neighbor", "auto")),
    ],
)


@endpoint
def look(call: Call) -> dict[str, Any]:
    """Return the fields of a call that an endpoint sees."""
    return {"path": call.cell.describe()["path"], "left": call.seconds_left, "traceparent": call.traceparent}


class Capped:
    """Tree with one version on all links; ``api`` has two managers."""

    def __init__(self, version: str, way: Way) -> None:
        self.version = version
        self.notes = Notes()
        self.tree = VersionTree(SHAPE, endpoints=[look, self.notes.endpoint()], managers={"api": 2}, **way(version))

    def __enter__(self) -> Capped:
        self.tree.start()
        for cell, neighbor in LINKS:
            self.tree.wait_for_version(cell, neighbor, self.version)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.tree.stop()

    def has(self, version: str) -> bool:
        """Return whether the features of ``version`` are visible."""
        return VERSIONS.index(self.version) >= VERSIONS.index(version)

    def look(self, manager: int = 0) -> tuple[dict[str, Any], list[Arrival]]:
        """Call from the top to the bottom; return the fields at the bottom and the request on both links."""
        self.tree.forget_arrivals()
        call = self.tree["api"].start_call("az1", "look", manager=manager, timeout=TIMEOUT_SECONDS)
        seen = call.result(10)
        requests = self.tree.arrivals(method_name="look")
        assert [request.cell for request in requests] == ["east", "az1"]
        return seen, requests

    def send_look(self, **head: str) -> Reply:
        """Send the message of :meth:`look` with more keys in its head; return the reply."""
        self.tree.forget_arrivals()
        target = CellPath.parse("api!east!az1")
        message = TargetedMessage.new(
            method="look", route=target[:1], target=target, direction=Direction.DOWN, needs_response=True, **head
        )
        return self.tree["api"].service.router.send(message, TIMEOUT_SECONDS).result(10)

    def look_of_client(self, reply_to: str) -> list[Arrival]:
        """Like :meth:`look`, for a client that waits on a queue; return the request and its answer on both links."""
        self.send_look(reply_to=reply_to)
        requests = self.tree.arrivals(method_name="look")
        return [*requests, *self.tree.answers(requests[0], "east"), *self.tree.answers(requests[0], "api")]

    def broadcast(self) -> list[Arrival]:
        """Broadcast to all cells; return the request on both links."""
        self.tree.forget_arrivals()
        answers = self.tree["api"].broadcast("look", timeout=TIMEOUT_SECONDS)
        assert {cell: answer.value["path"] for cell, answer in answers.items()} == {cell: cell for cell in ALL}
        requests = self.tree.arrivals(method_name="look")
        assert [request.cell for request in requests] == ["east", "az1"]
        return requests


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=lambda parameter: f"{parameter[1]}-{parameter[0]}",
)
def capped(request: pytest.FixtureRequest) -> Iterator[Capped]:
    version, way = request.param
    with Capped(version, WAYS[way]) as capped:
        yield capped


def test_time_left_travels_and_shrinks(capped: Capped) -> None:
    seen, requests = capped.look()
    assert [("time_left" in request.keys) for request in requests] == [capped.has("1.1")] * 2
    if not capped.has("1.1"):
        assert seen["left"] is None
        return
    first, second = (request.keys["time_left"] for request in requests)
    assert TIMEOUT_SECONDS > first > second >= seen["left"] > 0
    # A child times out before its parent, by more than the travel time of a message.
    assert first - second >= 0.4
    assert all("time_left" not in answer.keys for answer in capped.tree.answers(requests[0], "api"))


def test_answers_go_to_the_calling_manager(capped: Capped, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cells.manager")
    asked: list[str] = []
    answers, counted = {}, capped.tree["api"].counters().get("dropped.response", 0)
    # The other manager calls last: earlier fan-outs have arrived there before its own answer.
    for number in (1, 0):
        _, requests = capped.look(manager=number)
        asked.append(requests[0].keys["uuid"])
        assert all(("reply_server" in request.keys) == capped.has("1.1") for request in requests)
        answers[number] = wait_for(lambda: capped.tree.answers(requests[0], "api"), "the answer comes")  # noqa: B023
        if capped.has("1.1"):
            assert requests[0].keys["reply_server"] == f"api-{number + 1}"
            continue
        wait_for(lambda: len(capped.tree.answers(requests[0], "api")) == 2, "both managers get it")  # noqa: B023
        answers[number] = capped.tree.answers(requests[0], "api")
    for number, came in answers.items():
        hosts = [f"api-{number + 1}"] if capped.has("1.1") else ["api-1", "api-2"]
        assert sorted(answer.host for answer in came) == hosts
        assert {answer.keys["fanout"] for answer in came} == {not capped.has("1.1")}
    expected = [] if capped.has("1.1") else sorted(asked)

    def dropped() -> list[str]:
        """Only these two messages: answers to a cell's own pings also go to all managers."""
        logged = [record.getMessage() for record in caplog.records if record.name == "cells.manager.local_cell"]
        return sorted(message_id for message_id in asked for text in logged if message_id in text)

    wait_for(lambda: dropped() == expected, "the manager that did not ask drops the answer")
    assert capped.tree["api"].counters().get("dropped.response", 0) - counted >= len(expected)


def test_traceparent_is_passed_on(capped: Capped) -> None:
    reply = capped.send_look(traceparent=TRACEPARENT)
    expected = TRACEPARENT if capped.has("1.1") else None
    assert reply.read_one(()).value["traceparent"] == (expected or "")
    requests = capped.tree.arrivals(method_name="look")
    (answer, *_) = capped.tree.answers(requests[0], "api")
    assert [one.keys.get("traceparent") for one in (*requests, answer)] == [expected] * 3


def test_the_queue_of_the_client_travels_on_every_link(capped: Capped) -> None:
    """In memory clients have no queues, so the answer goes through the manager."""
    came = capped.look_of_client("4f2a@reply_1")
    assert {one.cell for one in came} == {"api", "east", "az1"}
    expected = "4f2a@reply_1" if capped.has("1.4") else None
    assert {one.keys.get("reply_to") for one in came} == {expected}


def test_a_trace_records_events_or_is_refused(capped: Capped) -> None:
    capped.tree.forget_arrivals()
    trace = capped.tree["api"].service.manager.trace(CONTEXT, "az1", TIMEOUT_SECONDS)
    if not capped.has("1.1"):
        with pytest.raises(exceptions.RPCVersionCapError, match=r"1\.1 .*1\.0"):
            trace.result(10)
        assert not capped.tree.arrivals(message_type="targeted", need_response=True)
        return
    found = trace.result(10)
    assert found["error"] is None
    assert [(event["cell"], event["event"]) for event in found["events"]] == [
        ("api", "asked"),
        ("east", "received"),
        ("az1", "received"),
        ("az1", "answered"),
        ("east", "answer received"),
        ("api", "answer received"),
    ]
    times = [event["at"] for event in found["events"]]
    assert times == sorted(times)
    (first, second) = capped.tree.arrivals(message_type="targeted", method_name="ping")
    assert [len(first.keys["trace"]), len(second.keys["trace"])] == [1, 2]


def test_answers_to_a_broadcast_travel_separately(capped: Capped) -> None:
    requests = capped.broadcast()
    assert [request.keys.get("stream") for request in requests] == ([True] if capped.has("1.2") else [None]) * 2
    answers = {answer.keys["uuid"]: answer for answer in capped.tree.answers(requests[0], "api")}
    received = {answer.keys["routing_path"]: answer.arguments for answer in answers.values()}
    cells = {
        way: [json.loads(text)["cell_name"] for text in arguments["responses"]] for way, arguments in received.items()
    }
    if not capped.has("1.2"):
        assert {way: sorted(names) for way, names in cells.items()} == {"east": ["api!east", "api!east!az1"]}
        assert received["east"].keys() == {"orig_message", "responses"}
        assert capped.tree.answers(requests[0], "east")
        return
    assert cells == {"east": ["api!east"], "az1!east": ["api!east!az1"]}
    assert [arguments.get("passed_on_to") for arguments in (received["east"], received["az1!east"])] == [["az1"], None]


def test_answers_to_a_broadcast_are_delivered_one_by_one(capped: Capped) -> None:
    manager = capped.tree["api"].service.manager
    where = manager.broadcast_start(CONTEXT, "look", {}, "down", TIMEOUT_SECONDS)
    found: list[str] = []
    is_complete = False
    while not is_complete:
        batch = manager.broadcast_next(CONTEXT, where["id"]).result(10)
        found += [Response.from_json(text, ()).cell for text in batch["responses"]]
        is_complete = batch["is_complete"]
    assert sorted(found) == ALL


def test_relays_forward_the_text_of_a_message_unread(capped: Capped) -> None:
    _, calls = capped.look()
    answers = capped.tree.answers(calls[0], "east") + capped.tree.answers(calls[0], "api")
    broadcasts = capped.broadcast()
    for arrival in (*calls, *answers, *broadcasts):
        assert arrival.is_item == capped.has("1.3")
        texts = {"payload"} if capped.has("1.3") else {"ctxt", "method_kwargs"}
        assert arrival.keys.keys() & {"payload", "ctxt", "method_kwargs"} == texts
    if capped.has("1.3"):
        assert calls[0].keys["payload"] == calls[1].keys["payload"]
        assert answers[0].keys["payload"] == answers[1].keys["payload"]


def test_many_casts_arrive_once_and_in_their_order(capped: Capped) -> None:
    capped.tree.forget_arrivals()
    capped.notes.taken.clear()
    texts = [str(number) for number in range(30)]
    for text in texts:
        capped.tree["api"].cast("az1", "note", text=text)
    capped.notes.wait_for(*(("api!east!az1", text) for text in texts))
    came = capped.tree.arrivals(method_name="note")
    for cell in ("east", "az1"):
        assert [arrival.arguments["text"] for arrival in came if arrival.cell == cell] == texts
    assert {arrival.is_item for arrival in came} == {capped.has("1.3")}


def test_messages_have_only_the_features_of_the_version(capped: Capped) -> None:
    capped.look()
    came = capped.look_of_client("4f2a@reply_1")
    capped.broadcast()
    came += capped.tree.arrivals()
    allowed = {version for version in VERSIONS if capped.has(version)}
    assert {feature for arrival in came for feature in arrival.features} == allowed - {"1.0"}
    assert not capped.tree.unreadable


#: Captured message, and the cell that receives such a message.
CAPTURES = {
    "targeted_request": ("targeted", "east"),
    "targeted_request_relayed": ("targeted", "az1"),
    "broadcast_request": ("broadcast", "east"),
    "broadcast_request_relayed": ("broadcast", "az1"),
    "response_relayed": ("response", "east"),
    "response_fanout_last_hop": ("response", "api"),
}


@each("name", CAPTURES)
@each("way", ["global", "neighbor", "auto"])
def test_the_oldest_version_has_the_keys_and_types_of_nova(way: str, name: str, nova_like: NovaLike) -> None:
    message_type, cell = CAPTURES[name]
    golden = captures.capture(name)
    came = nova_like(way, message_type, cell)
    inner = ("ctxt", "method_kwargs")
    assert {key: captures.shape(value) for key, value in came.items() if key not in inner} == {
        key: captures.shape(value) for key, value in golden.items() if key not in inner
    }
    assert came.keys() >= set(inner)
    for key in ("fanout", "need_response", "hop_count"):
        assert came[key] == golden[key]


NovaLike = Callable[[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def nova_like() -> Iterator[NovaLike]:
    """Return the message of a type that arrives in a cell under the oldest version."""
    with Capped("1.0", global_cap) as by_all, Capped("1.0", neighbor_caps) as by_one, Capped("1.0", announced) as auto:
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for way, capped in (("global", by_all), ("neighbor", by_one), ("auto", auto)):
            for ask, message_type in ((lambda: capped.look()[1], "targeted"), (capped.broadcast, "broadcast")):  # noqa: B023
                requests = ask()
                for request in requests:
                    found[way, message_type, request.cell] = dict(request.keys)
                if message_type == "targeted":
                    for cell in ("east", "api"):
                        found[way, "response", cell] = dict(capped.tree.answers(requests[0], cell)[0].keys)
        yield lambda way, message_type, cell: found[way, message_type, cell]

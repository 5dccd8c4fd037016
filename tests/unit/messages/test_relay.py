"""The messages of one batch: each is read as it would be alone, and forwarded with nothing changed but its way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, messages, versions
from cells.messages import Batch, Hop, Message
from cells.messages.relay import MAX_HEADERS
from cells.neighbors import Neighbors
from tests.cases import each
from tests.unit.messages import captures
from tests.unit.messages.test_validation import KEYS, VALUES, item
from tests.unit.messages.trees import row

NOW = 1000.0
NEIGHBORS = Neighbors.of([row("api", is_parent=True), row("az1"), row("child1"), row("grandchild1")])
LIMIT = 100_000
CLIENT = "4f2a@reply_1"


def call(**values: Any) -> dict[str, Any]:
    """A call on its way from api over east to az1."""
    return item("targeted_request", **{"routing_path": "api", "target_cell": "api!east!az1", **values})


def answer(**values: Any) -> dict[str, Any]:
    """Its answer, on its last hop but one."""
    path = {"routing_path": "az1", "target_cell": "az1!east!api"}
    return item("response_relayed", **{**path, "hop_count": 1, **values})


CALLS = [
    call(),
    call(need_response=False, fanout=True),
    call(time_left=5, reply_server="manager-1", traceparent="00-a-b-01"),
    call(reply_server="manager-1", reply_to=CLIENT),
    call(fanout=None, need_response=None, reply_server=None, traceparent=None, time_left=None),
    call(unknown="key", stream=True),
    call(unknown=[], stream={}),
    call(hop_count=None),
    call(max_hop_count=None),
    item("targeted_request", routing_path="az1", target_cell="az1!east!child1", direction="up"),
    item("targeted_request", routing_path="az1", target_cell="az1!east!api!west", direction="up"),
    call(hop_count=8, max_hop_count=10),
]
ANSWERS = [
    answer(),
    answer(reply_server="manager-1"),
    answer(need_response=True, time_left=0.0),
    answer(target_cell="az1!east!api!west"),
    answer(target_cell="az1!east!api!west", reply_server="manager-1"),
    answer(target_cell="az1!east!api!west", reply_server="manager-1", reply_to=CLIENT),
]
#: Messages that this cell runs, gathers, refuses or has to look at.
OTHERS = [
    pytest.param(call(target_cell="api!east"), id="for this cell"),
    pytest.param(call(target_cell="api!east", need_response=False, fanout=True), id="for all managers of this cell"),
    pytest.param(answer(target_cell="az1!east"), id="answer for this cell"),
    pytest.param(answer(reply_server="manager-1", reply_to=CLIENT), id="answer to a client that can be reached"),
    pytest.param(item("broadcast_request"), id="broadcast"),
    pytest.param(item("broadcast_request", stream=True, time_left=1.5), id="streaming broadcast"),
    pytest.param(call(trace=[]), id="traced"),
    pytest.param(call(time_left=0.0), id="late"),
    pytest.param(call(time_left=-1.0), id="very late"),
    pytest.param(call(hop_count=9, max_hop_count=10), id="at the hop limit"),
    pytest.param(call(target_cell="api!east!nowhere"), id="for an unknown cell"),
    pytest.param(call(target_cell="api!west!az1"), id="lost"),
]
REFUSED = [
    pytest.param(call(direction="sideways"), id="unknown direction"),
    pytest.param(call(message_type="unknown"), id="unknown type"),
    pytest.param(call(message_type=[]), id="no type"),
    pytest.param(answer(response_uuid=None), id="answers no message"),
    pytest.param(call(payload=None), id="no payload"),
    pytest.param(call(payload="x" * (LIMIT + 1)), id="too large"),
    *([{}, [], None, "{"]),
]
FORWARDED = [*CALLS, *ANSWERS]
READABLE = [*FORWARDED, *(found.values[0] for found in OTHERS)]


def newest(_: object) -> str:
    return versions.CURRENT


def batch(version: str = versions.CURRENT) -> Batch:
    return Batch(
        here="east", neighbors=NEIGHBORS, toward=lambda _: version, limit_bytes=LIMIT, default_max_hop_count=10, now=NOW
    )


def outcome(reading: Batch, came: object) -> tuple[Message, Hop | None] | type[Exception]:
    """The message and its hop, or the class of the error."""
    try:
        return reading.read(came)
    except exceptions.MessageError as error:
        return type(error)


def sent(came: object, version: str = versions.CURRENT) -> dict[str, Any]:
    """The message as it leaves this cell, which only forwards it."""
    message, hop = batch(version).read(came)
    assert hop is not None
    return message.sealed_as(hop.form, LIMIT).to_item()


@each("came", FORWARDED)
def test_forwarding_changes_nothing_but_the_way_and_the_time(came: dict[str, Any]) -> None:
    item = sent(came)
    known = {key for key in item if came.get(key) is not None}
    way = {"routing_path", "hop_count", "direction", "fanout", "time_left", "need_response"}
    assert {key: item[key] for key in known - way} == {key: came[key] for key in known - way}
    assert item["routing_path"] == f"{came['routing_path']}!east"
    assert item["hop_count"] == (came["hop_count"] or 0) + 1
    if came["message_type"] == "targeted":
        assert (item["fanout"], item["need_response"]) == (bool(came["fanout"]), bool(came["need_response"]))
    else:
        is_last_hop = came["target_cell"].endswith("!api")
        assert (item["fanout"], item["need_response"]) == (is_last_hop and not came.get("reply_server"), False)
    # A relay passes on the keys that it understands, and no others.
    assert item.keys().isdisjoint({"unknown", "stream"})


@each("came", FORWARDED)
def test_a_message_leaves_as_the_plan_of_the_message_says(came: dict[str, Any]) -> None:
    message, hop = batch().read(came)
    assert message == messages.parse(came, LIMIT, 10, NOW).arrived_at("east")
    assert hop == message.plan(NEIGHBORS, newest).hops[0]
    assert message.along(hop).sealed(hop.version, LIMIT).to_item().keys() == sent(came).keys()


@each("came", OTHERS)
def test_a_message_that_this_cell_does_not_only_forward_has_no_hop(came: dict[str, Any]) -> None:
    message, hop = batch().read(came)
    assert message == messages.parse(came, LIMIT, 10, NOW).arrived_at("east")
    assert hop is None


@each("came", REFUSED)
def test_a_broken_message_is_refused(came: object) -> None:
    with pytest.raises(exceptions.MessageError):
        batch().read(came)


@each("version", list(versions.HISTORY))
def test_only_links_with_batches_are_shared(version: str) -> None:
    _, hop = batch(version).read(call())
    assert (hop is not None) is versions.speaks(version, versions.BATCHES)


@each("version", [version for version in versions.HISTORY if versions.speaks(version, versions.BATCHES)])
def test_a_request_carries_reply_to_from_1_4_on_and_an_answer_at_every_version(version: str) -> None:
    assert ("reply_to" in sent(call(reply_to=CLIENT), version)) is versions.speaks(version, "1.4")
    assert sent(answer(target_cell="az1!east!api!west", reply_to=CLIENT), version)["reply_to"] == CLIENT


def test_a_message_that_traveled_alone_is_read_by_the_same_code() -> None:
    text = captures.as_it_comes(messages.parse(call(), LIMIT, 10).sealed("1.0", LIMIT))
    message, hop = batch().read(text)
    assert message == messages.parse(text, LIMIT, 10, NOW).arrived_at("east")
    assert hop is not None


def test_messages_with_the_same_header_share_its_reading_and_its_form() -> None:
    reading = batch()
    (first, one), (second, other) = reading.read(call()), reading.read(call(uuid="other", payload="{}", time_left=5))
    assert first.header is second.header
    assert one is other is not None
    assert one.form is other.form


OWN = ("uuid", "payload", "time_left", "traceparent", "reply_to", "response_uuid", "trace")
ALL_KEYS = KEYS | st.sampled_from(sorted({*call(), *answer()}))
LIKELY = st.sampled_from(
    [
        *("targeted", "response", "up", "down", "api", "az1", "api!east!az1", "az1!east!api", "east"),
        *("", 1, 9, 10, 0.5, True),
    ]
)
OWN_VALUES = LIKELY | VALUES | st.sampled_from(["other", 7, 7.5, 0, -1, False, float("nan"), "x" * 300, "a\nb"])


@given(
    st.sampled_from(READABLE),
    st.dictionaries(st.sampled_from(OWN), OWN_VALUES, max_size=3),
    st.dictionaries(ALL_KEYS, LIKELY | VALUES, max_size=2),
    st.sets(ALL_KEYS, max_size=2),
)
def test_messages_before_it_do_not_change_how_a_message_is_read(
    first: dict[str, Any], own: dict[str, Any], other: dict[str, Any], missing: set[str]
) -> None:
    second = {key: value for key, value in {**first, "uuid": "second", **own, **other}.items() if key not in missing}
    reading = batch()
    reading.read(first)
    after, alone = outcome(reading, second), outcome(batch(), second)
    if second.get("uuid") is None and isinstance(after, tuple) and isinstance(alone, tuple):
        # A message without an identity gets a new one.
        assert after[0].id != alone[0].id
        after = (captures.changed(after[0], id=alone[0].id), after[1])
    assert after == alone


@pytest.mark.parametrize("changed", [{"hop_count": True}, {"hop_count": 1.0}, {"need_response": 1}, {"fanout": 0}])
def test_an_equal_value_of_another_type_is_another_header(changed: dict[str, Any]) -> None:
    first = call(hop_count=1, need_response=True, fanout=False)
    reading = batch()
    reading.read(first)
    with pytest.raises(exceptions.MalformedMessage):
        reading.read(first | changed)


def test_reading_does_not_change_the_keys_that_came() -> None:
    came = call(time_left=5)
    before = came.copy()
    batch().read(came)
    assert came == before


def test_more_headers_than_are_remembered_are_read_too() -> None:
    reading = batch()
    for _ in range(2):
        for number in range(2 * MAX_HEADERS):
            message, hop = reading.read(call(method_name=f"method{number}"))
            assert message.method == f"method{number}"
            assert hop is not None


def test_unread_keys_of_any_depth_do_not_matter() -> None:
    """Two values of that depth cannot be compared."""
    reading = batch()
    for _ in range(2):
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        message, hop = reading.read(call(stream=deep))
        assert message.id
        assert hop is not None

"""The short way through a cell does what the long one does, or leaves the message to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells import exceptions, messages, versions
from cells.messages import Relay, SealedMessage, TargetedMessage
from cells.messages.wire import HEAD_BYTES
from cells.neighbors import Neighbors
from tests.cases import each
from tests.unit.messages.test_validation import KEYS, VALUES, item
from tests.unit.messages.trees import row

NOW = 1000.0
NEIGHBORS = Neighbors.of([row("api", is_parent=True), row("az1"), row("child1"), row("grandchild1")])
LIMIT = 100_000


def newest(_: object) -> str:
    return versions.CURRENT


def call(**values: Any) -> dict[str, Any]:
    """A call on its way from api over east to az1."""
    return item("targeted_request", **{"routing_path": "api", "target_cell": "api!east!az1", **values})


def answer(**values: Any) -> dict[str, Any]:
    """Its answer, on its last hop but one."""
    ways = {"routing_path": "az1", "target_cell": "az1!east!api"}
    return item("response_relayed", **{**ways, "hop_count": 1, **values})


def short_way(came: object, version: str = versions.CURRENT, limit_bytes: int = LIMIT) -> Any:
    return Relay("east", NEIGHBORS, lambda _: version, limit_bytes, NOW).read(came)


def long_way(came: object) -> tuple[str, SealedMessage]:
    """The neighbor that gets it next, and as what.

    :raises cells.exceptions.CellsError: nobody does
    """
    arrived = messages.parse(came, LIMIT, 10, NOW).arrived_at("east")
    (hop,) = arrived.plan(NEIGHBORS, newest).hops
    return hop.neighbor.name, hop.message.sealed(versions.CURRENT, LIMIT)


def same(came: object) -> bool:
    """Whether it takes the short way, which then must lead to the very same."""
    transit = short_way(came)
    if transit is None:
        return False
    assert (transit.neighbor.name, transit.message) == long_way(came)
    return True


CALLS = [
    call(),
    call(need_response=False, fanout=True),
    call(time_left=5, reply_server="manager-1", traceparent="00-a-b-01"),
    call(reply_server="manager-1", reply_to="4f2a@reply_1"),
    call(fanout=None, need_response=None, reply_server=None, traceparent=None, time_left=None),
    call(unknown="key", stream=True),
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
    answer(target_cell="az1!east!api!west", reply_server="manager-1", reply_to="4f2a@reply_1"),
]


@each("came", [*CALLS, *ANSWERS])
def test_what_is_only_on_its_way_takes_the_short_way_to_the_same_end(came: dict[str, Any]) -> None:
    assert same(came)


def test_nothing_but_the_way_and_the_time_changes() -> None:
    came = call(time_left=5.0, reply_server="m")
    sent = short_way(came).message.to_item()
    changed = {"routing_path": "api!east", "hop_count": came["hop_count"] + 1}
    assert {**sent, "time_left": None} == {**came, **changed, "time_left": None}


@each(
    "came",
    [
        pytest.param(item("targeted_request", routing_path="api", target_cell="api!east"), id="it is for this cell"),
        pytest.param(answer(target_cell="az1!east"), id="so is its answer"),
        pytest.param(answer(reply_server="manager-1", reply_to="4f2a@reply_1"), id="its client can be reached"),
        pytest.param(item("broadcast_request"), id="a broadcast"),
        pytest.param(call(trace=[]), id="it is traced"),
        pytest.param(call(time_left=0.0), id="it is late"),
        pytest.param(call(time_left=-1.0), id="it is very late"),
        pytest.param(call(hop_count=9, max_hop_count=10), id="it is at the hop limit"),
        pytest.param(call(uuid=None), id="it has no name"),
        pytest.param(call(target_cell="api!east!nowhere"), id="there is no such cell"),
        pytest.param(call(target_cell="api!west!az1"), id="it is lost"),
        pytest.param(call(direction="sideways"), id="it goes nowhere"),
        pytest.param(call(message_type="unknown"), id="it is of no known type"),
        pytest.param(call(message_type=[]), id="or of none"),
        pytest.param(call(method_kwargs={}), id="its arguments are open"),
        pytest.param(answer(response_uuid=None), id="it answers nothing"),
        pytest.param({}, id="it is empty"),
        pytest.param([], id="it is a list"),
        pytest.param("{}", id="it traveled alone"),
        pytest.param(None, id="it is nothing"),
    ],
)
def test_whatever_is_more_than_that_takes_the_long_way(came: object) -> None:
    assert short_way(came) is None


@each("version", [version for version in versions.HISTORY if not versions.speaks(version, versions.BATCHES)])
def test_to_an_older_neighbor_it_takes_the_long_way(version: str) -> None:
    assert short_way(call(), version) is None


@each("version", [version for version in versions.HISTORY if versions.speaks(version, versions.BATCHES)])
def test_a_request_carries_reply_to_from_1_4_on_and_an_answer_at_every_version(version: str) -> None:
    is_told = versions.speaks(version, "1.4")
    assert ("reply_to" in short_way(call(reply_to="4f2a@reply_1"), version).message.head) is is_told
    passing = answer(target_cell="az1!east!api!west", reply_to="4f2a@reply_1")
    assert short_way(passing, version).message.head["reply_to"] == "4f2a@reply_1"


def test_too_long_a_payload_takes_the_long_way() -> None:
    came = call()
    # What the keys take counts as well: it is the same message that the long way would refuse.
    size = len(came["payload"]) + HEAD_BYTES
    assert short_way(came, limit_bytes=size) is not None
    assert short_way(came, limit_bytes=size - 1) is None


ALL_KEYS = KEYS | st.sampled_from(sorted({*call(), *answer()}))
LIKELY = st.sampled_from(
    [
        "targeted",
        "response",
        "up",
        "down",
        "api",
        "az1",
        "api!east!az1",
        "az1!east!api",
        "east",
        "",
        1,
        9,
        10,
        0.5,
        True,
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*CALLS, *ANSWERS]), st.dictionaries(ALL_KEYS, LIKELY | VALUES, max_size=3))
def test_the_short_way_never_leads_where_the_long_one_does_not(came: dict[str, Any], values: dict[str, Any]) -> None:
    if came["message_type"] == "response":
        # It has none, so nobody looks what it is, and it does not go on.
        values.pop("time_left", None)
    same({**came, **values})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*CALLS, *ANSWERS]), st.sets(ALL_KEYS, max_size=3))
def test_what_lacks_a_key_is_no_error_of_the_short_way(came: dict[str, Any], keys: set[str]) -> None:
    same({key: value for key, value in came.items() if key not in keys})


def test_the_long_way_says_what_is_wrong() -> None:
    with pytest.raises(exceptions.CellNotFound):
        long_way(call(target_cell="api!east!nowhere"))
    assert type(messages.parse(call(), LIMIT, 10)) is TargetedMessage

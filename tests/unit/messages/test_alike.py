"""Messages of one cast that are alike are read as they would be one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells import exceptions, messages
from cells.messages import Message, Relay, Transit
from cells.messages.alike import MAX_KINDS, Alike, split
from tests.unit.messages.test_relay import (
    ALL_KEYS,
    ANSWERS,
    CALLS,
    LIKELY,
    LIMIT,
    NEIGHBORS,
    NOW,
    answer,
    call,
    long_way,
    newest,
)
from tests.unit.messages.test_validation import VALUES, item

#: Of which this cell is the end, or which it has to pass on to several.
ARRIVING = [
    call(target_cell="api!east"),
    call(target_cell="api!east", need_response=False, fanout=True),
    call(target_cell="api!east", time_left=5, reply_server="manager-1", traceparent="00-a-b-01"),
    answer(target_cell="az1!east"),
    answer(target_cell="az1!east", reply_server="manager-1", time_left=None),
    item("broadcast_request"),
    item("broadcast_request", stream=True, time_left=1.5),
]
OWN = ("uuid", "payload", "time_left", "traceparent", "response_uuid")
OWN_VALUES = LIKELY | VALUES | st.sampled_from(["other", 7, 7.5, 0, -1, False, float("nan"), "x" * 300, "a\nb"])


def arrived(came: object) -> Message | None:
    """What a cell makes of it that has seen nothing like it; None if it is refused."""
    try:
        return messages.parse(came, LIMIT, 10, NOW).arrived_at("east")
    except exceptions.MessageError:
        return None


def read_after(first: dict[str, Any], came: object) -> Transit | Message | None:
    relay = Relay("east", NEIGHBORS, newest, LIMIT, NOW)
    before = relay.read(first) or arrived(first)
    if isinstance(before, Message):
        relay.learn(first, before)
    return relay.read(came)


def check(first: dict[str, Any], came: dict[str, Any]) -> bool:
    """Whether it was read as one like another, which then must have led to the very same."""
    found = read_after(first, came)
    if isinstance(found, Transit):
        assert (found.neighbor.name, found.message) == long_way(came)
    elif found is not None:
        assert found == arrived(came)
        assert type(found) is type(arrived(came))
    return found is not None


@pytest.mark.parametrize("first", [*CALLS, *ANSWERS, *ARRIVING])
def test_what_differs_in_its_own_keys_alone_is_read_as_the_first_was(first: dict[str, Any]) -> None:
    own = {
        "uuid": "another",
        "payload": '{"method_kwargs": {}}',
        "response_uuid": "one more",
        "traceparent": "00-c-d-00",
    }
    assert check(first, {**first, **own})
    assert check({**first, **own}, first)


@pytest.mark.parametrize("first", [call(), call(target_cell="api!east"), item("broadcast_request")])
def test_each_has_its_own_time(first: dict[str, Any]) -> None:
    for second in (first, {**first, "time_left": 5}, {**first, "time_left": 0.25}, {**first, "time_left": None}):
        assert check(first, second)
        assert check({**first, "time_left": 3.0}, second)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([*CALLS, *ANSWERS, *ARRIVING]),
    st.dictionaries(st.sampled_from(OWN), OWN_VALUES, max_size=3),
    st.dictionaries(ALL_KEYS, LIKELY | VALUES, max_size=2),
    st.sets(ALL_KEYS, max_size=2),
)
def test_whatever_came_before_it_is_read_as_ever(
    first: dict[str, Any], own: dict[str, Any], other: dict[str, Any], missing: set[str]
) -> None:
    second = {key: value for key, value in {**first, **own, **other}.items() if key not in missing}
    if second.get("message_type") == "response":
        # On its way nobody looks what it is, and it does not go on.
        second.pop("time_left", None)
    check(first, second)


@pytest.mark.parametrize("changed", [{"hop_count": True}, {"hop_count": 1.0}, {"need_response": 1}, {"fanout": 0}])
def test_what_is_equal_but_of_another_type_is_not_alike(changed: dict[str, Any]) -> None:
    first = call(hop_count=1, need_response=True, fanout=False)
    assert read_after(first, first) is not None
    assert read_after(first, first | changed) is None
    first["target_cell"] = "api!east"
    assert read_after(first, first) is not None
    assert read_after(first, first | changed) is None


@pytest.mark.parametrize("odd", [{"trace": []}, {"more": {"a": 1}}, {"more": [1]}, {"ctxt": {}, "method_kwargs": {}}])
def test_what_is_not_flat_is_like_nothing(odd: dict[str, Any]) -> None:
    came = call(target_cell="api!east", **odd)
    assert read_after(came, came) is None


def test_what_has_been_read_is_not_changed() -> None:
    came = call(time_left=5)
    before = came.copy()
    shared, own = split(came)
    assert came == before
    assert {**shared, "uuid": own.id, "payload": own.payload, "time_left": own.time_left} == before


def test_only_so_many_kinds_are_remembered() -> None:
    alike: Alike[int] = Alike()
    for number in range(MAX_KINDS + 1):
        alike.add({"number": number}, number)
    assert [alike.find({"number": number}) for number in range(MAX_KINDS + 1)] == [*range(MAX_KINDS), None]

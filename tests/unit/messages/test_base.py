"""What all messages have in common: immutable, sealed within a bound, written or refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cells import exceptions
from cells.messages import BroadcastMessage, Message, ResponseMessage, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from tests.unit.messages import captures

PATH = CellPath.parse("api!east")


def targeted(**changed: Any) -> TargetedMessage:
    fields = {"method": "ping", "route": PATH[:1], "target": PATH, "direction": Direction.DOWN, **changed}
    return TargetedMessage(**fields)


def broadcast(**changed: Any) -> BroadcastMessage:
    return BroadcastMessage(**{"method": "ping", "route": PATH[:1], "direction": Direction.DOWN, **changed})


def response(**changed: Any) -> ResponseMessage:
    return ResponseMessage.answering(targeted(route=PATH, **changed), [])


ALL = [targeted(), broadcast(), response()]


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.message_type)
def test_can_not_be_changed(message: Message) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.fanout = True  # type: ignore[misc]


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.message_type)
def test_arriving_makes_a_new_message_one_cell_further(message: Message) -> None:
    before = message.to_dict()
    arrived = message.arrived_at("next")
    assert message.to_dict() == before
    assert arrived.here == "next"
    assert arrived.to_dict() == {
        **before,
        "routing_path": f"{before['routing_path']}!next",
        "hop_count": before["hop_count"] + 1,
    }
    assert not arrived.is_at_source


def test_starts_at_its_source_with_an_identity() -> None:
    one, other = targeted(), targeted()
    assert one.id != other.id
    assert (one.hop_count, one.max_hop_count, one.here, one.is_at_source) == (1, 10, "api", True)
    assert (one.needs_response, one.fanout, one.response_to) == (False, False, None)


def test_writing_changes_nothing() -> None:
    kwargs: dict[str, Any] = {"deep": {"list": [1]}}
    message = targeted(kwargs=kwargs)
    assert message.to_json() == message.to_json()
    assert message.kwargs is kwargs
    assert kwargs == {"deep": {"list": [1]}}


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.message_type)
def test_sealed_is_what_a_driver_needs(message: Message) -> None:
    sealed = message.sealed(10_000)
    assert (sealed.message_type, sealed.fanout) == (message.message_type, message.fanout)
    assert sealed.to_json() == message.to_json()


def circle() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values["itself"] = values
    return values


def nested() -> list[Any]:
    values: list[Any] = []
    for _ in range(100_000):
        values = [values]
    return values


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", float("nan"), float("-inf"), {(1, 2): 3}, circle(), nested(), 10**5000],
    ids=["object", "set", "bytes", "nan", "inf", "tuple as key", "circle", "deep", "huge"],
)
@pytest.mark.parametrize("field", ["kwargs", "context"])
def test_what_has_no_json_form_is_refused(field: str, value: object) -> None:
    message = targeted(**{field: {"value": value}})
    with pytest.raises(exceptions.InvalidArguments, match="ping can not be written as JSON") as caught:
        message.to_json()
    assert caught.value.method == "ping"
    with pytest.raises(exceptions.InvalidArguments):
        message.sealed(captures.LIMIT_BYTES)


def test_too_long_a_message_is_refused() -> None:
    size = len(targeted(id="x").to_json())
    assert targeted(id="x").sealed(size)
    with pytest.raises(exceptions.MessageTooLarge, match="max_message_bytes") as caught:
        targeted(id="x").sealed(size - 1)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (size, size - 1)


def test_the_bound_counts_bytes_not_characters() -> None:
    message = targeted(kwargs={"text": "é" * 100})
    text = message.sealed(10_000).to_json()
    assert len(text) == len(text.encode())
    with pytest.raises(exceptions.MessageTooLarge):
        message.sealed(len(text) - 1)

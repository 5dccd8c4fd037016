"""Payloads: what is read, and the memory that a neighbor can make this manager use."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given

from cells import exceptions
from cells.drivers.base import MAX_MESSAGES_OF_CAST
from cells.drivers.direct.payloads import has_few_values, read
from tests.cases import each
from tests.json_values import JSON

MEGABYTE = 1024 * 1024
#: the longest payload, [cells] max_message_bytes = 4 MB
LONGEST = 8 * MEGABYTE


def peak_of(payload: bytes) -> tuple[object, int]:
    """Return what is read, and the most bytes that were used meanwhile."""
    tracemalloc.start()
    try:
        found = read(payload)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def listed(item: bytes, separator: bytes = b",") -> bytes:
    return b"[" + separator.join([item] * (LONGEST // len(item + separator))) + b"]"


@pytest.mark.parametrize(
    ("item", "before", "after"),
    [
        *[(item, b"", b"") for item in (b"{}", b"[]", b"7", b'""', b'{"":{}}')],
        (b"{}", b'[{"a":', b"}]"),
        # texts whose end is not the next quote
        *[(item, b"", b"") for item in (rb'"\\",{}', rb'"\"",{}', rb'"\\\"",{}')],
    ],
)
def test_a_list_of_many_small_values_is_refused_unread(item: bytes, before: bytes, after: bytes) -> None:
    assert_refused_unread(before + listed(item) + after)


def test_a_list_in_another_encoding_whose_bytes_are_those_of_quotes_is_refused_unread() -> None:
    assert_refused_unread(b"[" + "∀,{}".encode("utf-16-le") * (LONGEST // 8))


def assert_refused_unread(payload: bytes) -> None:
    found, peak = peak_of(payload)
    assert isinstance(found, exceptions.MessageTooLarge)
    assert peak < 4 * LONGEST


@pytest.mark.parametrize("end", [b"", rb"\"", rb'"\\', b"\xff", b"]]"])
def test_a_fault_at_the_end_does_not_hide_them(end: bytes) -> None:
    found, peak = peak_of(listed(b"{}")[:-1] + end)
    assert not isinstance(found, list)
    assert peak < 4 * LONGEST


def item(payload: str, **more: Any) -> dict[str, Any]:
    keys = {f"key_{number}": "value" for number in range(20)}
    return {**keys, "payload": payload, "need_response": False, **more}


def test_lists_of_messages_are_read() -> None:
    for items in (
        [],
        [item("")] * MAX_MESSAGES_OF_CAST,
        [item(json.dumps([{}] * 500_000))],
        [item(json.dumps(['"\\', "{[,"] * 100_000))],
        [item("", trace=[{"cell": "a", "event": "b", "at": 1.5}] * 5)] * MAX_MESSAGES_OF_CAST,
        [None] * (MAX_MESSAGES_OF_CAST + 1),
    ):
        assert read(json.dumps(items).encode()) == items


@given(JSON)
def test_any_small_value_is_read(value: Any) -> None:
    assert read(json.dumps([value]).encode()) == [value]


@given(JSON)
def test_values_within_texts_do_not_count(value: Any) -> None:
    def without_texts(one: Any) -> Any:
        if isinstance(one, dict):
            # Each key has a value, so that the values make the commas.
            return [without_texts(inner) for inner in one.values()]
        return [without_texts(inner) for inner in one] if isinstance(one, list) else 0

    bare = json.dumps([without_texts(value)])
    count, texts = bare.count(",") + bare.count("["), json.dumps(value).count('"') // 2
    text = json.dumps([value]).encode()
    assert has_few_values(text, count + texts)
    assert not has_few_values(text, count - 1)


@each("payload", [b"[", b"[1", b"[NaN", b"[\xff]", b"[" * 60_000, b"no JSON", b"", b"\xff"])
def test_what_is_no_list_is_a_text_for_its_reader(payload: bytes) -> None:
    assert isinstance(read(payload), str)

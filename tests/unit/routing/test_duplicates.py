"""Messages that arrive twice run once, and the table of seen messages is bounded."""

from __future__ import annotations

import threading
import tracemalloc

import pytest

from cells import exceptions
from cells.path import CellPath
from cells.routing.duplicates import SeenMessages


def route(text: str) -> CellPath:
    return CellPath.parse(text)


def test_a_message_that_arrives_again_by_the_same_route_is_not_new() -> None:
    seen = SeenMessages()
    assert seen.is_new("m", route("api!east"))
    assert not seen.is_new("m", route("api!east"))
    assert seen.is_new("other", route("api!east"))


def test_a_message_that_arrives_again_by_another_route_is_an_error_for_that_route() -> None:
    seen = SeenMessages()
    assert seen.is_new("m", route("api!east!az1"))
    with pytest.raises(exceptions.DuplicateMessageError, match="api > west > az1") as caught:
        seen.is_new("m", route("api!west!az1"))
    assert caught.value.cell == "az1"
    assert not seen.is_new("m", route("api!east!az1"))


def test_the_oldest_messages_are_forgotten() -> None:
    seen = SeenMessages(max_messages=3)
    here = "api!east"
    assert all(seen.is_new(str(number), route(here)) for number in range(10))
    assert len(seen) == 3
    assert [seen.is_new(str(number), route(here)) for number in (7, 8, 9)] == [False, False, False]
    assert seen.is_new("0", route(here))


def test_a_message_with_a_long_route_costs_as_much_as_any_other() -> None:
    seen = SeenMessages()
    long = CellPath(["api", *(f"cell-{number}" for number in range(10_000)), "az1"])
    tracemalloc.start()
    try:
        assert seen.is_new("m", long)
        kept_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept_bytes < 2_000
    assert not seen.is_new("m", CellPath(long))
    with pytest.raises(exceptions.DuplicateMessageError) as caught:
        seen.is_new("m", long[:-2].child("az1"))
    assert len(caught.value.message) < 500


def test_of_many_threads_one_sees_a_new_message() -> None:
    seen, ready = SeenMessages(), threading.Barrier(8)
    firsts: list[int] = []

    def look() -> None:
        ready.wait(10)
        firsts.append(sum(seen.is_new(str(number), route("api!east")) for number in range(500)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sum(firsts) == 500

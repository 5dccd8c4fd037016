"""Messages that come twice: they run once, and the table of them does not grow."""

from __future__ import annotations

import threading

import pytest

from cells import exceptions
from cells.path import CellPath
from cells.routing.duplicates import SeenMessages


def route(text: str) -> CellPath:
    return CellPath.parse(text)


def test_what_comes_again_by_the_same_way_is_not_new() -> None:
    seen = SeenMessages()
    assert seen.is_new("m", route("api!east"))
    assert not seen.is_new("m", route("api!east"))
    assert seen.is_new("other", route("api!east"))


def test_what_comes_again_by_another_way_is_an_error_of_that_way() -> None:
    seen = SeenMessages()
    assert seen.is_new("m", route("api!east!az1"))
    with pytest.raises(
        exceptions.DuplicateMessageError, match=r"m came by api!west!az1 after .* another way"
    ) as caught:
        seen.is_new("m", route("api!west!az1"))
    assert caught.value.cell == "az1"
    assert not seen.is_new("m", route("api!east!az1"))


def test_the_oldest_are_forgotten() -> None:
    seen = SeenMessages(max_messages=3)
    here = "api!east"
    assert all(seen.is_new(str(number), route(here)) for number in range(10))
    assert len(seen._routes) == 3
    assert [seen.is_new(str(number), route(here)) for number in (7, 8, 9)] == [False, False, False]
    assert seen.is_new("0", route(here))


def test_a_message_costs_the_same_whatever_its_route() -> None:
    seen = SeenMessages()
    long = CellPath(["api", *(f"cell-{number}" for number in range(10_000)), "az1"])
    assert seen.is_new("m", long)
    assert not seen.is_new("m", CellPath(long))
    assert [type(kept) for kept in seen._routes.values()] == [int]
    with pytest.raises(exceptions.DuplicateMessageError) as caught:
        seen.is_new("m", long[:-2].child("az1"))
    assert len(caught.value.message) < 500


def test_of_many_threads_one_has_the_first() -> None:
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

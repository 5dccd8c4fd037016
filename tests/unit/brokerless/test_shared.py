"""Shared objects are created for the first user and closed after the last user."""

from __future__ import annotations

import threading
from concurrent import futures

import pytest

from cells.brokerless.shared import Shared


def test_users_of_a_key_share_one_object() -> None:
    closed: list[object] = []
    shared: Shared[object] = Shared(closed.append)
    first = shared.acquire("a", object)
    assert shared.acquire("a", object) is first
    other = shared.acquire("b", object)
    assert other is not first
    shared.release("a")
    assert closed == []
    shared.release("a")
    assert closed == [first]
    assert shared.acquire("a", object) is not first
    shared.release("b")
    assert closed == [first, other]


def test_failed_creation_leaves_nothing_behind() -> None:
    closed: list[str] = []
    shared: Shared[str] = Shared(closed.append)

    def fail() -> str:
        raise OSError("taken")

    with pytest.raises(OSError, match="taken"):  # the error of fail()
        shared.acquire("a", fail)
    assert shared.acquire("a", lambda: "made") == "made"
    shared.release("a")
    assert closed == ["made"]


def test_object_that_fails_to_close_is_not_handed_out_again() -> None:
    def fail(_: object) -> None:
        raise OSError("still in use")

    shared: Shared[object] = Shared(fail)
    first = shared.acquire("a", object)
    with pytest.raises(OSError, match="in use"):  # the error of fail()
        shared.release("a")
    assert shared.acquire("a", object) is not first


def test_next_user_waits_until_the_previous_object_is_closed() -> None:
    closing, may_close, is_open = threading.Event(), threading.Event(), [0]

    def make() -> str:
        is_open[0] += 1
        assert is_open[0] == 1, "two objects at a time"
        return "made"

    def close(_: str) -> None:
        closing.set()
        assert may_close.wait(10)
        is_open[0] -= 1

    shared: Shared[str] = Shared(close)
    shared.acquire("a", make)
    with futures.ThreadPoolExecutor(2) as pool:
        released = pool.submit(shared.release, "a")
        assert closing.wait(10)
        acquired = pool.submit(shared.acquire, "a", make)
        may_close.set()
        released.result(10)
        assert acquired.result(10) == "made"


def test_concurrent_users() -> None:
    made: list[object] = []
    closed: list[object] = []
    shared: Shared[object] = Shared(closed.append)

    def make() -> object:
        made.append(object())
        return made[-1]

    def use() -> None:
        for _ in range(200):
            used = shared.acquire("a", make)
            assert used not in closed
            shared.release("a")

    with futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(use) for _ in range(8)]:
            done.result(20)
    assert made == closed

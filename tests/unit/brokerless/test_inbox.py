"""The inbox of a listener: limited, in order, and without deadlocks."""

from __future__ import annotations

import threading
from concurrent import futures

import pytest

from cells.brokerless.inbox import DirectInbox, Inbox, PolledInbox
from tests.unit.brokerless.serving import ended, on_thread


@pytest.fixture(params=[PolledInbox, DirectInbox])
def inbox(request: pytest.FixtureRequest) -> Inbox[str]:
    made: Inbox[str] = request.param(3, 100)
    return made


def polled(*messages: str) -> PolledInbox[str]:
    inbox: PolledInbox[str] = PolledInbox(10, 100)
    for message in messages:
        assert inbox.put(message, 1)
    return inbox


def test_number_of_messages_is_limited(inbox: Inbox[str]) -> None:
    assert [inbox.put("a", 1) for _ in range(5)] == [True, True, True, False, False]
    assert len(inbox) == 3
    inbox.done(1)
    assert inbox.put("b", 1)
    assert not inbox.put("c", 1)


def test_number_of_bytes_is_limited(inbox: Inbox[str]) -> None:
    assert inbox.put("a", 60)
    assert not inbox.put("b", 41)
    assert inbox.put("c", 40)
    inbox.done(60)
    assert inbox.put("d", 60)


def test_empty_inbox_accepts_any_size(inbox: Inbox[str]) -> None:
    assert inbox.put("a", 1000)
    assert not inbox.put("b", 0)
    inbox.done(1000)
    assert inbox.put("b", 1000)


def test_closed_inbox_accepts_nothing(inbox: Inbox[str]) -> None:
    inbox.close()
    inbox.close()
    assert not inbox.put("a", 1)
    assert not inbox.put_back("a")
    assert len(inbox) == 0


def test_message_that_is_put_back_needs_no_space(inbox: Inbox[str]) -> None:
    for _ in range(3):
        inbox.put("a", 1)
    assert inbox.put_back("a")
    assert len(inbox) == 3


def test_order_is_kept() -> None:
    inbox = polled("a", "b", "c")
    assert inbox.take() == "a"
    inbox.put_back("a")
    assert [inbox.take() for _ in range(3)] == ["b", "c", "a"]
    assert inbox.take(0.001) is None


def test_closed_inbox_hands_out_the_rest_and_then_none() -> None:
    inbox = polled("a", "b")
    inbox.close()
    assert [inbox.take(), inbox.take(), inbox.take(), inbox.take()] == ["a", "b", None, None]


def test_close_wakes_all_waiting_threads() -> None:
    inbox = polled()
    with futures.ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(inbox.take) for _ in range(4)]
        inbox.close()
        assert [one.result(10) for one in waiting] == [None] * 4


def test_direct_inbox_handles_waiting_messages_and_then_new_messages() -> None:
    inbox: DirectInbox[str] = DirectInbox(10, 100)
    handled: list[str] = []
    inbox.put("a", 1)
    inbox.run()
    assert handled == []
    inbox.start(handled.append)
    assert handled == ["a"]
    inbox.put("b", 1)
    assert handled == ["a"]
    inbox.run()
    assert handled == ["a", "b"]


def test_direct_inbox_handles_one_message_at_a_time_in_order() -> None:
    inbox: DirectInbox[int] = DirectInbox(10_000, 10_000)
    handled: list[int] = []
    busy = threading.Lock()

    def handle(number: int) -> None:
        assert busy.acquire(blocking=False), "two messages at a time"
        handled.append(number)
        busy.release()

    inbox.start(handle)
    order = threading.Lock()
    numbers = iter(range(1000))

    def put() -> None:
        while True:
            with order:
                number = next(numbers, None)
                if number is None:
                    return
                inbox.put(number, 1)
            inbox.run()

    threads = [on_thread(put) for _ in range(4)]
    assert all(ended(thread) for thread in threads)
    inbox.wait_until_empty()
    assert handled == list(range(1000))


def test_second_thread_does_not_wait_for_a_handler() -> None:
    inbox: DirectInbox[str] = DirectInbox(10, 100)
    handled: list[str] = []
    begun, released = threading.Event(), threading.Event()

    def handle(message: str) -> None:
        begun.set()
        assert released.wait(10)
        handled.append(message)

    inbox.start(handle)
    inbox.put("a", 1)
    first = on_thread(inbox.run)
    assert begun.wait(10)
    inbox.put("b", 1)
    inbox.run()
    assert handled == []
    emptied = on_thread(inbox.wait_until_empty)
    released.set()
    assert ended(first)
    assert ended(emptied)
    assert handled == ["a", "b"]


def test_handler_may_wait_until_its_own_inbox_is_empty() -> None:
    inbox: DirectInbox[str] = DirectInbox(10, 100)

    def stop(_: str) -> None:
        inbox.close()
        inbox.wait_until_empty()

    inbox.start(stop)
    inbox.put("stop", 1)
    assert ended(on_thread(inbox.run))


def test_wait_until_empty_returns_if_the_direct_inbox_was_never_started() -> None:
    inbox: DirectInbox[str] = DirectInbox(10, 100)
    inbox.put("a", 1)
    inbox.close()
    assert ended(on_thread(inbox.wait_until_empty))

"""GroupCommit: concurrent items share one publish; no item is lost, doubled or overtaken, and no thread hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.rpcapi.group_commit import BatchRefused, GroupCommit, OutcomeUnknown
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
LIMITS = {
    "min_items": 2,
    "max_items": 100,
    "max_characters": 1000,
    "max_waiting": 100,
    "max_wait_seconds": TIMEOUT_SECONDS,
}


class Desk:
    """Sender that records the items and blocks each publish until the test releases it."""

    def __init__(self, **limits: Any) -> None:
        self.sent: list[tuple[str, ...]] = []
        self.errors: list[BaseException | None] = []
        self.group = GroupCommit(self._publish, **{**LIMITS, **limits})
        self._pool = futures.ThreadPoolExecutor(64)
        self._gate = threading.Semaphore(0)
        self._begun: list[tuple[str, ...]] = []
        self._is_open = False

    def close(self) -> None:
        self.open()
        self._pool.shutdown()

    def open(self) -> None:
        """Block no publish from now on."""
        self._is_open = True
        self._gate.release(1000)

    def release(self, *errors: BaseException | None) -> None:
        """Release one publish for each of ``errors``, which it raises unless it is None."""
        self.errors += errors
        self._gate.release(len(errors))

    def start(self, *items: str) -> list[futures.Future[None]]:
        """Send each item from a thread of its own, in this order."""
        sending = []
        for item in items:
            before = len(self._begun) + len(self.group._waiting)
            sending.append(self._pool.submit(self.commit, item))
            poll_until(lambda: len(self._begun) + len(self.group._waiting) > before, f"{item} waits or is sent")  # noqa: B023
        return sending

    def commit(self, item: str) -> None:
        self.group.commit(lambda: self._publish([item]), lambda: item)

    def wait_begun(self, count: int) -> None:
        poll_until(lambda: len(self._begun) == count, f"{count} publishes have begun")

    def _publish(self, items: Sequence[str]) -> None:
        self._begun.append(tuple(items))
        if not self._gate.acquire(timeout=TIMEOUT_SECONDS):
            raise AssertionError("The test has not released the publish.")
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.sent.append(tuple(items))


def poll_until(condition: Callable[[], Any], what: str) -> None:
    poll(condition, what, timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.001)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


@pytest.fixture
def make_desk() -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**limits: Any) -> Desk:
        desks.append(Desk(**limits))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def done(sending: Sequence[futures.Future[None]]) -> None:
    for future in sending:
        future.result(TIMEOUT_SECONDS)


def test_an_item_is_sent_at_once_if_no_other_is_being_sent(desk: Desk) -> None:
    desk.open()
    desk.commit("a")
    desk.commit("b")
    assert desk.sent == [("a",), ("b",)]


def test_items_that_arrive_meanwhile_share_the_next_publish(desk: Desk) -> None:
    sending = desk.start("a", "b", "c", "d")
    desk.release(None)
    desk.wait_begun(2)
    done(sending[:1])
    assert not any(future.done() for future in sending[1:]), "a caller returned before its publish"
    desk.release(None)
    done(sending)
    assert desk.sent == [("a",), ("b", "c", "d")]


def test_a_leader_publishes_once_and_later_items_go_into_the_next_publish(desk: Desk) -> None:
    sending = desk.start("a", "b", "c")
    desk.release(None)
    desk.wait_begun(2)
    sending += desk.start("d", "e")
    done(sending[:1])
    desk.release(None)
    desk.wait_begun(3)
    done(sending[:3])
    desk.release(None)
    done(sending)
    assert desk.sent == [("a",), ("b", "c"), ("d", "e")]


def test_a_publish_takes_the_next_items_of_the_threads_that_the_last_one_has_woken(
    make_desk: Callable[..., Desk],
) -> None:
    late = ["late"]

    def give_way() -> None:
        if late:
            desk.start(late.pop())

    desk = make_desk(give_way=give_way)
    sending = desk.start("first", "second", "third")
    desk.release(None, None)
    done(sending)
    assert desk.sent == [("first",), ("second", "third", "late")]


def test_few_items_are_sent_alone_side_by_side_and_the_rest_together(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(min_items=3)
    sending = desk.start("a", "b")
    desk.wait_begun(2)
    sending += desk.start("c", "d", "e")
    desk.release(None)
    desk.wait_begun(3)
    desk.open()
    done(sending)
    assert sorted(desk.sent) == [("a",), ("b",), ("c", "d", "e")]


def test_waiting_items_are_sent_alone_if_they_are_too_few(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(min_items=3)
    sending = desk.start("a", "b", "c", "d")
    desk.release(None)
    desk.wait_begun(4)
    desk.open()
    done(sending)
    assert sorted(desk.sent) == [("a",), ("b",), ("c",), ("d",)]
    assert not desk.group._sending


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_items": 2}, [("a",), ("bb", "cc"), ("dd",)]),
        ({"max_characters": 5}, [("a",), ("bb", "cc"), ("dd",)]),
        ({"max_items": 1}, [("a",), ("bb",), ("cc",), ("dd",)]),
    ],
)
def test_a_publish_has_bounds(
    make_desk: Callable[..., Desk], limits: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    desk = make_desk(**limits)
    sending = desk.start("a", "bb", "cc", "dd")
    desk.open()
    done(sending)
    assert desk.sent == expected


def test_a_large_item_and_an_item_without_room_are_sent_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_waiting=1, max_characters=10)
    sending = desk.start("a", "waits", "has no room", "x" * 11)
    desk.wait_begun(3)
    desk.open()
    done(sending)
    assert sorted(desk.sent) == sorted([("a",), ("waits",), ("has no room",), ("x" * 11,)])


class Refused(Exception):
    """Error that cannot be constructed from its ``args``, as errors of some libraries."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class Torn(ValueError, OSError):
    """Error that cannot be copied, because its built-in bases have different layouts."""


def test_an_error_that_cannot_be_copied_is_not_its_own_cause(desk: Desk) -> None:
    """A reader of causes would not end."""
    sending = desk.start("a", "b", "c")
    error = Torn("refused")
    desk.release(None, error)
    assert [future.exception(TIMEOUT_SECONDS) for future in sending] == [None, error, error]
    assert error.__cause__ is None
    desk.open()


@pytest.mark.parametrize("error", [Refused(code=7), BrokenPipeError(32, "gone"), OSError("hung up")])
def test_each_caller_of_a_failed_publish_gets_a_copy_of_its_error(desk: Desk, error: Exception) -> None:
    sending = desk.start("a", "b", "c")
    desk.release(None, error)
    told = [future.exception(TIMEOUT_SECONDS) for future in sending]
    assert told[0] is None
    assert [(type(each), str(each), vars(each)) for each in told[1:]] == [(type(error), str(error), vars(error))] * 2
    assert told[1] is not told[2]
    desk.open()
    desk.commit("d")
    assert desk.sent == [("a",), ("d",)]


def test_a_failed_first_item_does_not_stop_the_others(desk: Desk) -> None:
    sending = desk.start("a", "b")
    desk.release(ValueError("no"))
    assert isinstance(sending[0].exception(TIMEOUT_SECONDS), ValueError)
    desk.open()
    done(sending[1:])
    assert desk.sent == [("b",)]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupted_leader_fails_its_batch_and_hands_over(desk: Desk, interrupt: BaseException) -> None:
    sending = desk.start("a", "b", "c")
    desk.release(None)
    desk.wait_begun(2)
    sending += desk.start("d")
    desk.release(interrupt)
    assert type(sending[1].exception(TIMEOUT_SECONDS)) is type(interrupt)
    assert isinstance(sending[2].exception(TIMEOUT_SECONDS), OutcomeUnknown)
    desk.open()
    done([sending[0], sending[3]])
    assert desk.sent == [("a",), ("d",)]


def test_an_item_that_cannot_be_packed_does_not_affect_the_others(desk: Desk) -> None:
    sending = desk.start("a")

    def unable() -> str:
        raise TypeError("no JSON")

    with pytest.raises(TypeError, match="no JSON"):
        desk.group.commit(lambda: None, unable)
    sending += desk.start("b", "c")
    desk.open()
    done(sending)
    assert desk.sent == [("a",), ("b", "c")]


def test_items_of_a_refused_batch_are_sent_alone(desk: Desk) -> None:
    sending = desk.start("a", "b", "c", "d")
    desk.release(None, BatchRefused())
    desk.wait_begun(5)  # at the same time
    desk.open()
    done(sending)
    assert sorted(desk.sent) == [("a",), ("b",), ("c",), ("d",)]


def test_an_item_that_waits_too_long_is_sent_alone_and_later_items_do_not_wait(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_wait_seconds=0.05)
    sending = desk.start("stuck", "b")
    desk.wait_begun(2)
    desk.release(None)
    desk.open()
    done(sending)
    desk.commit("c")
    assert sorted(desk.sent) == [("b",), ("c",), ("stuck",)]


def test_a_former_leader_cannot_end_the_lead_of_another_item(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_wait_seconds=0.05)
    sending = desk.start("stuck", "b")
    desk.wait_begun(2)
    assert not desk.group._sending
    leader = desk.start("c")
    desk.open()
    done([*sending, *leader])
    assert desk.group._leader is None
    assert not desk.group._sending
    assert not desk.group._waiting


def test_a_publish_that_hangs_is_an_unknown_outcome_for_its_items(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_wait_seconds=0.2)
    sending = desk.start("a", "b", "c")
    desk.release(None)
    desk.wait_begun(2)
    assert isinstance(sending[2].exception(TIMEOUT_SECONDS), OutcomeUnknown)


@given(
    items=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    max_items=st.integers(1, 8),
    max_waiting=st.integers(0, 8),
    min_items=st.integers(2, 4),
    max_characters=st.integers(1, 60),
    failing=st.sets(st.integers(0, 40)),
)
def test_each_item_is_sent_once_in_the_order_of_its_thread_or_raises(
    items: list[int], min_items: int, max_items: int, max_waiting: int, max_characters: int, failing: set[int]
) -> None:
    sent: list[str] = []
    lock = threading.Lock()
    count = 0

    def publish(texts: Sequence[str]) -> None:
        nonlocal count
        with lock:
            count += 1
            if count in failing:
                raise ConnectionError("no")
            sent.extend(texts)
        assert len(texts) <= max_items
        assert len(texts) == 1 or sum(map(len, texts)) <= max_characters

    group = GroupCommit(
        publish,
        min_items=min_items,
        max_items=max_items,
        max_characters=max_characters,
        max_waiting=max_waiting,
        max_wait_seconds=TIMEOUT_SECONDS,
    )

    def work(thread: int, number: int) -> list[str]:
        taken = []
        for each in range(number):
            text = f"{thread}:{each}"
            try:
                group.commit(lambda: publish([text]), lambda: text)  # noqa: B023
            except ConnectionError:
                continue
            taken.append(text)
        return taken

    with futures.ThreadPoolExecutor(len(items)) as pool:
        taken = list(pool.map(work, range(len(items)), items))
    by_thread = [[text for text in sent if text.startswith(f"{thread}:")] for thread in range(len(items))]
    assert by_thread == taken
    assert group._leader is None
    assert not group._sending
    assert not group._waiting

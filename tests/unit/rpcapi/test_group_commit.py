"""Threads that send at the same time share one publish: nothing is lost, doubled or overtaken, and nobody hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import pytest
from hypothesis import given, settings
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
    """Where items are sent: it notes them, and holds a publish until it is let go on."""

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
        """From now on nothing is held."""
        self._is_open = True
        self._gate.release(1000)

    def let_go(self, *errors: BaseException | None) -> None:
        """Let as many publishes end, each with an error or without."""
        self.errors += errors
        self._gate.release(len(errors))

    def bring(self, *items: str) -> list[futures.Future[None]]:
        """Each in a thread of its own, in this order."""
        brought = []
        for item in items:
            before = len(self._begun) + len(self.group._waiting)
            brought.append(self._pool.submit(self.commit, item))
            poll_until(lambda: len(self._begun) + len(self.group._waiting) > before, f"{item} waits or is sent")  # noqa: B023
        return brought

    def commit(self, item: str) -> None:
        self.group.commit(lambda: self._publish([item]), lambda: item)

    def wait_begun(self, count: int) -> None:
        poll_until(lambda: len(self._begun) == count, f"{count} publishes have begun")

    def _publish(self, items: Sequence[str]) -> None:
        self._begun.append(tuple(items))
        if not self._gate.acquire(timeout=TIMEOUT_SECONDS):
            raise AssertionError("Nobody lets it go.")
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


def done(brought: Sequence[futures.Future[None]]) -> None:
    for future in brought:
        future.result(TIMEOUT_SECONDS)


def test_who_finds_nobody_sending_sends_at_once(desk: Desk) -> None:
    desk.open()
    desk.commit("a")
    desk.commit("b")
    assert desk.sent == [("a",), ("b",)]


def test_those_who_come_meanwhile_share_the_next_publish(desk: Desk) -> None:
    brought = desk.bring("a", "b", "c", "d")
    desk.let_go(None)
    desk.wait_begun(2)
    done(brought[:1])
    assert not any(future.done() for future in brought[1:]), "nobody returns before its publish does"
    desk.let_go(None)
    done(brought)
    assert desk.sent == [("a",), ("b", "c", "d")]


def test_a_leader_makes_one_publish_and_those_who_come_later_another(desk: Desk) -> None:
    brought = desk.bring("a", "b", "c")
    desk.let_go(None)
    desk.wait_begun(2)
    brought += desk.bring("d", "e")
    done(brought[:1])
    desk.let_go(None)
    desk.wait_begun(3)
    done(brought[:3])
    desk.let_go(None)
    done(brought)
    assert desk.sent == [("a",), ("b", "c"), ("d", "e")]


def test_few_go_alone_side_by_side_and_the_rest_together(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(min_items=3)
    brought = desk.bring("a", "b")
    desk.wait_begun(2)
    brought += desk.bring("c", "d", "e")
    desk.let_go(None)
    desk.wait_begun(3)
    desk.open()
    done(brought)
    assert sorted(desk.sent) == [("a",), ("b",), ("c", "d", "e")]


def test_those_who_wait_go_alone_if_they_are_too_few(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(min_items=3)
    brought = desk.bring("a", "b", "c", "d")
    desk.let_go(None)
    desk.wait_begun(4)
    desk.open()
    done(brought)
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
def test_publish_has_bounds(
    make_desk: Callable[..., Desk], limits: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    desk = make_desk(**limits)
    brought = desk.bring("a", "bb", "cc", "dd")
    desk.open()
    done(brought)
    assert desk.sent == expected


def test_large_item_and_who_finds_no_room_go_alone_beside_the_others(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_waiting=1, max_characters=10)
    brought = desk.bring("a", "waits", "has no room", "x" * 11)
    desk.wait_begun(3)
    desk.open()
    done(brought)
    assert sorted(desk.sent) == sorted([("a",), ("waits",), ("has no room",), ("x" * 11,)])


class Refused(Exception):
    """As many libraries have them: it cannot be made anew of its ``args``."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


@pytest.mark.parametrize("error", [Refused(code=7), BrokenPipeError(32, "gone"), OSError("hung up")])
def test_error_of_a_publish_is_told_to_each_of_its_callers_and_to_no_other(desk: Desk, error: Exception) -> None:
    brought = desk.bring("a", "b", "c")
    desk.let_go(None, error)
    told = [future.exception(TIMEOUT_SECONDS) for future in brought]
    assert told[0] is None
    assert [(type(each), str(each), vars(each)) for each in told[1:]] == [(type(error), str(error), vars(error))] * 2
    assert told[1] is not told[2]
    desk.open()
    desk.commit("d")
    assert desk.sent == [("a",), ("d",)]


def test_first_one_that_fails_hands_over(desk: Desk) -> None:
    brought = desk.bring("a", "b")
    desk.let_go(ValueError("no"))
    assert isinstance(brought[0].exception(TIMEOUT_SECONDS), ValueError)
    desk.open()
    done(brought[1:])
    assert desk.sent == [("b",)]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3)])
def test_interrupted_leader_tells_its_group_and_hands_over(desk: Desk, interrupt: BaseException) -> None:
    brought = desk.bring("a", "b", "c")
    desk.let_go(None)
    desk.wait_begun(2)
    brought += desk.bring("d")
    desk.let_go(interrupt)
    assert type(brought[1].exception(TIMEOUT_SECONDS)) is type(interrupt)
    assert isinstance(brought[2].exception(TIMEOUT_SECONDS), OutcomeUnknown)
    desk.open()
    done([brought[0], brought[3]])
    assert desk.sent == [("a",), ("d",)]


def test_item_that_cannot_be_packed_harms_nobody(desk: Desk) -> None:
    brought = desk.bring("a")

    def unable() -> str:
        raise TypeError("no JSON")

    with pytest.raises(TypeError, match="no JSON"):
        desk.group.commit(lambda: None, unable)
    brought += desk.bring("b", "c")
    desk.open()
    done(brought)
    assert desk.sent == [("a",), ("b", "c")]


def test_items_that_cannot_go_together_go_alone(desk: Desk) -> None:
    brought = desk.bring("a", "b", "c", "d")
    desk.let_go(None, BatchRefused())
    desk.wait_begun(5)  # at the same time
    desk.open()
    done(brought)
    assert sorted(desk.sent) == [("a",), ("b",), ("c",), ("d",)]


def test_who_waits_too_long_for_its_turn_goes_alone_and_the_next_ones_do_not_wait(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(max_wait_seconds=0.05)
    brought = desk.bring("stuck", "b")
    desk.wait_begun(2)
    desk.let_go(None)
    desk.open()
    done(brought)
    desk.commit("c")
    assert sorted(desk.sent) == [("b",), ("c",), ("stuck",)]


def test_who_leads_no_more_cannot_take_the_lead_from_who_does(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_wait_seconds=0.05)
    brought = desk.bring("stuck", "b")
    desk.wait_begun(2)
    assert not desk.group._sending
    leader = desk.bring("c")
    desk.open()
    done([*brought, *leader])
    assert desk.group._leader is None
    assert not desk.group._sending
    assert not desk.group._waiting


def test_who_sends_for_others_and_does_not_come_back_is_not_waited_for_without_end(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(max_wait_seconds=0.2)
    brought = desk.bring("a", "b", "c")
    desk.let_go(None)
    desk.wait_begun(2)
    assert isinstance(brought[2].exception(TIMEOUT_SECONDS), OutcomeUnknown)


@settings(max_examples=25, deadline=None)
@given(
    items=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    max_items=st.integers(1, 8),
    max_waiting=st.integers(0, 8),
    min_items=st.integers(2, 4),
    max_characters=st.integers(1, 60),
    failing=st.sets(st.integers(0, 40)),
)
def test_each_item_is_sent_once_in_the_order_of_its_thread_or_its_caller_is_told(
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

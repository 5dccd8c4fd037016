"""The order of queued messages, the messages that share a cast, and the limits of the queue."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from cells.links import send_queue
from cells.links.send_queue import QueuedMessage, SendQueue
from tests.cases import each
from tests.text_message import TextMessage

ALONE = TextMessage("targeted", False, "alone")
ITEM = TextMessage("targeted", False, "item", version="1.3", item={"payload": "{}"})


def fail(error: Exception) -> None:
    raise AssertionError(f"A message failed: {error}")


class Queue:
    """A send queue, with messages that were queued at the seconds 0, 1, 2 ... ."""

    def __init__(self, max_messages: int = 1000, max_bytes: int = 10**9) -> None:
        self.queue = SendQueue(max_messages, max_bytes)
        self._seconds = 0.0

    def put(self, *texts: str, like: TextMessage = ITEM, hold_seconds: float = 0.0) -> None:
        for text in texts:
            message = replace(like, text=text)
            if not self.queue.put([(message, fail, None)], 0, self._seconds, hold_seconds):
                raise OverflowError(self.queue.overflow(message.size_bytes))
            self._seconds += 1

    def take(self) -> list[str]:
        return texts(self.queue.take())

    def take_all(self) -> list[list[str]]:
        taken = []
        while self.queue:
            taken.append(self.take())
        return taken


def texts(taken: Iterable[QueuedMessage]) -> list[str]:
    return [one.message.to_json() for one in taken]


def test_messages_that_travel_alone_keep_their_order() -> None:
    queue = Queue()
    queue.put("1", "2", "3", like=ALONE)
    assert len(queue.queue) == 3
    assert queue.take_all() == [["1"], ["2"], ["3"]]
    assert len(queue.queue) == 0


def test_queued_messages_share_a_cast_in_their_order() -> None:
    queue = Queue()
    queue.put("1", "2", "3")
    assert queue.take() == ["1", "2", "3"]
    queue.put("4")
    assert queue.take() == ["4"]
    assert len(queue.queue) == 0


def test_the_kind_of_the_oldest_message_is_sent_first() -> None:
    queue = Queue()
    queue.put("1", like=ALONE)
    queue.put("2", "3")
    queue.put("4", like=ALONE)
    queue.put("5")
    queue.put("6", like=replace(ITEM, message_type="response"))
    queue.put("7", like=ALONE)
    assert queue.take_all() == [["1"], ["2", "3", "5"], ["4"], ["6"], ["7"]]


@each(
    "other",
    [
        replace(ITEM, message_type="response"),
        replace(ITEM, fanout=True),
        replace(ITEM, server="manager-1"),
        replace(ITEM, version="1.4"),
    ],
    ids=["type", "fan-out", "server", "version"],
)
def test_messages_of_different_kinds_share_no_cast(other: TextMessage) -> None:
    queue = Queue()
    queue.put("1", like=ITEM)
    queue.put("a", like=other)
    queue.put("2", like=ITEM)
    queue.put("b", like=other)
    assert queue.take_all() == [["1", "2"], ["a", "b"]]


def test_answers_for_two_managers_share_no_cast() -> None:
    queue = Queue()
    for number in range(6):
        queue.put(str(number), like=replace(ITEM, message_type="response", server=f"m{number % 2}"))
    assert queue.take_all() == [["0", "2", "4"], ["1", "3", "5"]]


def test_a_cast_has_a_limit_of_messages() -> None:
    queue = Queue()
    numbers = [str(number) for number in range(2 * send_queue.MAX_MESSAGES + 1)]
    queue.put(*numbers)
    casts = queue.take_all()
    assert [len(cast) for cast in casts] == [send_queue.MAX_MESSAGES, send_queue.MAX_MESSAGES, 1]
    assert [text for cast in casts for text in cast] == numbers


def test_a_cast_has_a_limit_of_bytes() -> None:
    queue = Queue()
    half, whole = send_queue.MAX_BYTES // 2, send_queue.MAX_BYTES
    queue.put(*("x" * size for size in (half, half, 1, whole, whole + 2, 2, 2)))
    sizes = [[len(text) for text in cast] for cast in queue.take_all()]
    assert sizes == [[half, half], [1], [whole], [whole + 2], [2, 2]]


def test_the_queue_has_a_limit_of_messages() -> None:
    queue = Queue(max_messages=3)
    queue.put("1", "2")
    queue.put("3", like=ALONE)
    with pytest.raises(OverflowError, match="send_queue_size"):
        queue.put("4")
    assert queue.take() == ["1", "2"]
    queue.put("5", "6")
    with pytest.raises(OverflowError):
        queue.put("7", like=ALONE)
    assert queue.take_all() == [["3"], ["5", "6"]]


def test_the_queue_has_a_limit_of_bytes() -> None:
    queue = Queue(max_bytes=10)
    queue.put("aaaa", "bbbb")
    queue.put("cc", like=ALONE)
    with pytest.raises(OverflowError, match="send_queue_bytes"):
        queue.put("d")
    assert queue.take() == ["aaaa", "bbbb"]
    queue.put("eeeeeeee")
    with pytest.raises(OverflowError):
        queue.put("f")
    assert queue.take_all() == [["cc"], ["eeeeeeee"]]


def test_an_empty_queue_accepts_a_message_of_any_size() -> None:
    queue = Queue(max_bytes=10)
    queue.put("x" * 100)
    with pytest.raises(OverflowError):
        queue.put("y")
    assert queue.take() == ["x" * 100]
    queue.put("y" * 100)


def test_a_refused_message_leaves_nothing_behind() -> None:
    queue = Queue(max_messages=1)
    queue.put("1")
    for _ in range(3):
        with pytest.raises(OverflowError):
            queue.put("2")
    assert len(queue.queue) == 1
    assert queue.take_all() == [["1"]]


def test_all_messages_can_be_removed_at_once() -> None:
    queue = Queue(max_messages=4, max_bytes=100)
    queue.put("1", like=ALONE)
    queue.put("2", "3")
    queue.put("x" * 90, like=replace(ITEM, fanout=True))
    assert sorted(texts(queue.queue.clear())) == ["1", "2", "3", "x" * 90]
    assert (len(queue.queue), queue.queue.clear()) == (0, [])
    queue.put("y" * 90)
    queue.put("4", "5", "6")
    assert queue.take_all() == [["y" * 90, "4", "5", "6"]]


def test_a_held_message_is_due_when_its_hold_ends_or_a_message_of_its_kind_is_due() -> None:
    queue = Queue()
    assert queue.queue.due_at == math.inf
    queue.put("1", hold_seconds=100.0)
    queue.put("2", like=replace(ITEM, fanout=True), hold_seconds=50.0)
    assert queue.queue.due_at == 51.0
    assert texts(queue.queue.take(51.0)) == ["2"]
    assert queue.queue.due_at == 100.0
    queue.put("3")
    assert queue.queue.due_at == 2.0
    assert texts(queue.queue.take(2.0)) == ["1", "3"]


def test_a_held_message_does_not_delay_a_due_message_behind_it() -> None:
    queue = Queue()
    queue.put("1", hold_seconds=100.0)
    queue.put("2")
    queue.put("3", like=replace(ITEM, fanout=True))
    assert queue.take() == ["1", "2"]

"""What waits for a neighbor, in which order it goes, and which messages share a cast."""

from __future__ import annotations

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
    raise AssertionError(f"Nothing was sent: {error}")


class Queue:
    """A queue whose messages are put in at the seconds 0, 1, 2 ... ."""

    def __init__(self, max_messages: int = 1000, max_bytes: int = 10**9) -> None:
        self.waiting = SendQueue(max_messages, max_bytes)
        self._seconds = 0.0

    def put(self, *texts: str, like: TextMessage = ITEM) -> None:
        for text in texts:
            message = replace(like, text=text)
            if not self.waiting.put([(message, fail, None)], 0, self._seconds):
                raise OverflowError(self.waiting.overflow(message.size_bytes))
            self._seconds += 1

    def take(self) -> list[str]:
        return texts(self.waiting.take())

    def take_all(self) -> list[list[str]]:
        taken = []
        while self.waiting:
            taken.append(self.take())
        return taken


def texts(taken: Iterable[QueuedMessage]) -> list[str]:
    return [one.message.to_json() for one in taken]


def test_what_travels_alone_goes_in_its_order() -> None:
    queue = Queue()
    queue.put("1", "2", "3", like=ALONE)
    assert len(queue.waiting) == 3
    assert queue.take_all() == [["1"], ["2"], ["3"]]
    assert len(queue.waiting) == 0


def test_what_may_share_a_cast_and_waits_goes_together_in_its_order() -> None:
    queue = Queue()
    queue.put("1", "2", "3")
    assert queue.take() == ["1", "2", "3"]
    queue.put("4")
    assert queue.take() == ["4"]
    assert len(queue.waiting) == 0


def test_what_has_waited_longest_goes_first_of_whatever_kind() -> None:
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


def test_answers_for_two_managers_go_to_each_of_them() -> None:
    queue = Queue()
    for number in range(6):
        queue.put(str(number), like=replace(ITEM, message_type="response", server=f"m{number % 2}"))
    assert queue.take_all() == [["0", "2", "4"], ["1", "3", "5"]]


def test_a_cast_holds_only_so_many_messages() -> None:
    queue = Queue()
    numbers = [str(number) for number in range(2 * send_queue.MAX_MESSAGES + 1)]
    queue.put(*numbers)
    casts = queue.take_all()
    assert [len(cast) for cast in casts] == [send_queue.MAX_MESSAGES, send_queue.MAX_MESSAGES, 1]
    assert [text for cast in casts for text in cast] == numbers


def test_a_cast_holds_only_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_queue, "MAX_BYTES", 10)
    queue = Queue()
    queue.put("aaaaa", "bbbbb", "c", "dddddddddd", "eeeeeeeeeeee", "ff", "gg")
    assert queue.take_all() == [["aaaaa", "bbbbb"], ["c"], ["dddddddddd"], ["eeeeeeeeeeee"], ["ff", "gg"]]


def test_only_so_many_messages_may_wait() -> None:
    queue = Queue(max_messages=3)
    queue.put("1", "2")
    queue.put("3", like=ALONE)
    with pytest.raises(OverflowError, match=r"3 messages are queued \(\[cells\] send_queue_size\)"):
        queue.put("4")
    assert queue.take() == ["1", "2"]
    queue.put("5", "6")
    with pytest.raises(OverflowError):
        queue.put("7", like=ALONE)
    assert queue.take_all() == [["3"], ["5", "6"]]


def test_only_so_many_bytes_may_wait() -> None:
    queue = Queue(max_bytes=10)
    queue.put("aaaa", "bbbb")
    queue.put("cc", like=ALONE)
    with pytest.raises(OverflowError, match=r"10 bytes of messages are queued \(\[cells\] send_queue_bytes\)"):
        queue.put("d")
    assert queue.take() == ["aaaa", "bbbb"]
    queue.put("eeeeeeee")
    with pytest.raises(OverflowError):
        queue.put("f")
    assert queue.take_all() == [["cc"], ["eeeeeeee"]]


def test_one_message_may_wait_however_long_it_is() -> None:
    queue = Queue(max_bytes=10)
    queue.put("x" * 100)
    with pytest.raises(OverflowError):
        queue.put("y")
    assert queue.take() == ["x" * 100]
    queue.put("y" * 100)


def test_what_is_refused_leaves_nothing_behind() -> None:
    queue = Queue(max_messages=1)
    queue.put("1")
    for _ in range(3):
        with pytest.raises(OverflowError):
            queue.put("2")
    assert len(queue.waiting) == 1
    assert queue.take_all() == [["1"]]


def test_all_that_waits_can_be_taken_at_once() -> None:
    queue = Queue(max_messages=4, max_bytes=100)
    queue.put("1", like=ALONE)
    queue.put("2", "3")
    queue.put("x" * 90, like=replace(ITEM, fanout=True))
    assert sorted(texts(queue.waiting.clear())) == ["1", "2", "3", "x" * 90]
    assert (len(queue.waiting), queue.waiting.clear()) == (0, [])
    queue.put("y" * 90)
    queue.put("4", "5", "6")
    assert queue.take_all() == [["y" * 90, "4", "5", "6"]]

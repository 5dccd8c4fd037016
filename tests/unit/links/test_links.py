"""One neighbor whose broker is slow, dead or hung costs the others nothing."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import BaseCellsDriver, OnMessage, Outgoing, Target
from cells.drivers.registry import Drivers
from cells.links import LinkLimits, Links
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tools.polling import poll


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    return poll(condition, what, timeout_seconds=10, pause_seconds=0.002)


def message(text: str) -> TextMessage:
    return TextMessage("targeted", False, text)


def neighbor(name: str, place: str = "here") -> Neighbor:
    return Neighbor(name, f"memory://{place}/{name}", is_parent=False, driver="obedient")


A, B, C, D = (neighbor(name) for name in "abcd")


class ObedientDriver(BaseCellsDriver):
    """Sends, hangs or fails as the test says, and keeps a diary."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.failures: dict[str, Exception] = {}
        self._gates: dict[str, threading.Event] = {}
        self._once: set[str] = set()

    def fail_once(self, name: str) -> None:
        """Let only the next send to this neighbor fail."""
        self._once.add(name)

    def hang(self, name: str) -> None:
        """From now on sends to this neighbor hang; ``closing a`` is closing the link to it."""
        self._gates[name] = threading.Event()

    def go_on(self, name: str) -> None:
        self._gates.pop(name).set()

    def go_on_all(self) -> None:
        for name in list(self._gates):
            self.go_on(name)

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        self.diary.append(f"try {cell.transport_url} {message.to_json()}")
        self._wait_at(cell.name)
        if cell.name in self.failures:
            raise self.failures.pop(cell.name) if cell.name in self._once else self.failures[cell.name]
        self.diary.append(f"sent {cell.transport_url} {message.to_json()}")

    def close_link(self, cell: Target) -> None:
        self.diary.append(f"closing {cell.transport_url}")
        self._wait_at(f"closing {cell.name}")
        self.diary.append(f"close {cell.transport_url}")

    def _wait_at(self, name: str) -> None:
        gate = self._gates.get(name)
        if gate is not None:
            assert gate.wait(30), "The test never let go"

    def of(self, cell: Target, *verbs: str) -> list[str]:
        """What the diary says of a neighbor: ``["sent 1", "close"]``."""
        lines = [line.split() for line in list(self.diary)]
        return [" ".join([verb, *rest]) for verb, url, *rest in lines if url == cell.transport_url and verb in verbs]

    def start_servers(self, on_message: OnMessage) -> None:
        raise AssertionError("An link only sends")

    def stop_servers(self) -> None:
        raise AssertionError("An link only sends")

    def close(self) -> None:
        raise AssertionError("The drivers are closed by who made them")


class OneDriver(Drivers):
    """The registry, with a driver of the test's own in it."""

    def __init__(self, driver: BaseCellsDriver) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # nothing else is built
        self._drivers["obedient"] = driver


class Office:
    """Links, their driver, and what they reported."""

    def __init__(self, **limits: Any) -> None:
        self.driver = ObedientDriver()
        self.counters = Counters()
        self.deliveries: list[tuple[str, bool]] = []
        self.failures: dict[str, exceptions.CellsError] = {}
        self.links = Links(
            OneDriver(self.driver),
            self.counters,
            lambda name, is_reachable: self.deliveries.append((name, is_reachable)),
            LinkLimits(**limits),
        )

    def send(self, cell: Neighbor, text: str, **options: float) -> None:
        self.links.send(cell, message(text), lambda error: self.failures.update({text: error}), **options)

    def wait_until(self, cell: Neighbor, *lines: str) -> None:
        """Wait until the diary has exactly these lines of a neighbor, of their kinds."""
        verbs = {line.split()[0] for line in lines}
        wait_for(lambda: len(self.driver.of(cell, *verbs)) >= len(lines), f"{lines} in {self.driver.diary}")
        assert self.driver.of(cell, *verbs) == list(lines)


def test_messages_are_sent_in_their_order(office: Callable[..., Office]) -> None:
    one = office()
    for number in range(20):
        one.send(A, str(number))
    one.wait_until(A, *(f"sent {number}" for number in range(20)))
    wait_for(lambda: one.counters.as_dict() == {"sent": 20}, "all are counted")
    assert set(one.deliveries) == {("a", True)}
    assert one.failures == {}


def test_full_queue_is_an_error_at_once(office: Callable[..., Office]) -> None:
    one = office(queue_size=2)
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    for text in ("2", "3", "4"):
        one.send(A, text)
    assert list(one.failures) == ["4"]
    assert isinstance(one.failures["4"], exceptions.NeighborBusy)
    assert one.failures["4"].cell == "a"
    assert one.counters.as_dict()["undelivered.NeighborBusy"] == 1
    one.driver.go_on("a")
    one.wait_until(A, "sent 1", "sent 2", "sent 3")
    one.send(A, "5")
    one.wait_until(A, "sent 1", "sent 2", "sent 3", "sent 5")


def test_hung_neighbor_holds_nobody_else_up(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    one.send(B, "2")
    one.wait_until(B, "sent 2")
    assert one.driver.of(A, "sent") == []


def test_what_waited_during_a_failed_attempt_fails_with_it(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = exceptions.NeighborUnreachable("Nobody is at home.", cell="a")
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    for text in ("2", "3"):
        one.send(A, text)
    one.driver.go_on("a")
    wait_for(lambda: len(one.failures) == 3, "all three have failed")
    assert {error.message for error in one.failures.values()} == {"Nobody is at home."}
    assert one.driver.of(A, "try") == ["try 1"]
    assert one.deliveries == [("a", False)]


def test_what_comes_after_a_failed_attempt_is_tried_anew(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = exceptions.NeighborUnreachable("Nobody is at home.", cell="a")
    one.send(A, "1")
    wait_for(lambda: "1" in one.failures, "the first one has failed")
    del one.driver.failures["a"]
    one.send(A, "2")
    one.wait_until(A, "try 1", "try 2")
    wait_for(lambda: one.deliveries == [("a", False), ("a", True)], "both attempts are reported")
    assert list(one.failures) == ["1"]
    assert one.counters.as_dict() == {"undelivered.NeighborUnreachable": 1, "sent": 1}


def test_bug_of_a_driver_is_an_unreachable_neighbor(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = ZeroDivisionError("oops")
    one.send(A, "1")
    wait_for(lambda: "1" in one.failures, "it has failed")
    assert isinstance(one.failures["1"], exceptions.NeighborUnreachable)
    assert "ZeroDivisionError: oops" in str(one.failures["1"])
    del one.driver.failures["a"]
    one.send(A, "2")
    one.wait_until(A, "sent 2")


def test_bug_of_who_is_told_does_not_end_the_sending(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = ZeroDivisionError("oops")

    def fall_over(error: exceptions.CellsError) -> None:
        raise RuntimeError("told and fell over")

    one.links.send(A, message("1"), fall_over)
    one.send(A, "2")
    wait_for(lambda: "2" in one.failures, "the next one is reported")


def test_unknown_driver_is_an_error_of_the_message(office: Callable[..., Office]) -> None:
    one = office()
    stranger = Neighbor("d", "memory://here/d", is_parent=False, driver="pigeon")
    one.send(stranger, "1")
    wait_for(lambda: "1" in one.failures, "it has failed")
    assert isinstance(one.failures["1"], exceptions.PluginError)
    one.links.forget(stranger)
    wait_for(lambda: len(one.links) == 0, "its link ends")


def test_idle_link_is_closed_and_opened_again(office: Callable[..., Office]) -> None:
    one = office(idle_seconds=0.05)
    one.send(A, "1")
    one.wait_until(A, "sent 1", "close")
    wait_for(lambda: len(one.links) == 0, "its link has ended")
    one.send(A, "2")
    one.wait_until(A, "sent 1", "close", "sent 2", "close")
    assert one.failures == {}


def test_longest_idle_link_is_closed_when_there_are_too_many(office: Callable[..., Office]) -> None:
    one = office(open_links=2)
    for cell in (A, B, C):
        one.send(cell, "1")
        one.wait_until(cell, "sent 1")
    one.wait_until(A, "close")
    wait_for(lambda: len(one.links) == 2, "two are left")
    assert one.driver.of(B, "close") == one.driver.of(C, "close") == []
    assert one.driver.diary.index(f"close {A.transport_url}") < one.driver.diary.index(f"try {C.transport_url} 1")


def test_busy_link_is_not_closed_for_another(office: Callable[..., Office]) -> None:
    one = office(open_links=1)
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    one.send(B, "1")
    one.send(A, "2")
    one.driver.go_on("a")
    one.wait_until(A, "sent 1", "sent 2", "close")
    one.wait_until(B, "sent 1")


def test_each_of_two_newcomers_gets_a_place(office: Callable[..., Office]) -> None:
    one = office(open_links=2)
    for cell in (A, B):
        one.send(cell, "1")
        one.wait_until(cell, "sent 1")
    one.driver.hang("closing a")
    one.send(C, "1")
    one.wait_until(A, "closing")
    # Both see that the link to a is on its way out; it makes room for one of them.
    one.send(D, "1")
    wait_for(lambda: one.links.slots.is_crowded, "d waits for a place")
    one.driver.go_on("closing a")
    one.wait_until(C, "sent 1")
    one.wait_until(D, "sent 1")


def test_neighbor_that_is_forgotten_gets_what_waits_for_it(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.hang("a")
    for text in ("1", "2", "3"):
        one.send(A, text)
    one.wait_until(A, "try 1")
    one.links.forget(A)
    one.driver.go_on("a")
    one.wait_until(A, "sent 1", "sent 2", "sent 3", "close")
    wait_for(lambda: len(one.links) == 0, "its link has ended")


def test_link_is_closed_before_its_successor_opens_one(office: Callable[..., Office]) -> None:
    one = office()
    moved = neighbor("a", "there")
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    one.send(moved, "2")
    assert one.driver.of(moved, "try") == []
    one.driver.go_on("a")
    one.wait_until(moved, "sent 2")
    assert one.driver.diary.index(f"close {A.transport_url}") < one.driver.diary.index(f"try {moved.transport_url} 2")


def test_successor_waits_for_who_closes_by_itself(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    one.links.forget(A)
    one.send(A, "2")
    one.driver.go_on("a")
    one.wait_until(A, "try 1", "sent 1", "close", "try 2", "sent 2")


def test_who_waits_behind_a_hung_predecessor_is_told_in_time_and_tried_anew(office: Callable[..., Office]) -> None:
    one = office(send_timeout_seconds=0.05)
    moved = neighbor("a", "there")
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    one.send(A, "2")
    one.send(moved, "3")
    wait_for(lambda: one.failures.keys() == {"1", "2", "3"}, "all three are given up")
    one.driver.go_on("a")
    wait_for(lambda: one.driver.of(A, "close"), "the old link is closed")

    def is_through() -> bool:
        one.send(moved, "4")
        return bool(one.driver.of(moved, "sent"))

    wait_for(is_through, "messages go the new way")


def test_error_of_a_stall_does_not_grow_with_every_message(office: Callable[..., Office]) -> None:
    one = office(send_timeout_seconds=0.05)
    one.driver.hang("a")
    one.send(A, "1")
    wait_for(lambda: "1" in one.failures, "the first is given up")
    sizes = set()
    for text in ("2", "3", "4"):
        one.send(A, text)
        sizes.add(len(traceback.format_exception(one.failures[text])))
    assert len(sizes) == 1
    assert type(one.failures["4"]) is exceptions.NeighborUnreachable


def test_forgetting_waits_for_what_is_under_way_if_it_shall(office: Callable[..., Office]) -> None:
    one = office()
    one.links.forget(A, 10)
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    started = time.monotonic()
    one.links.forget(A, 0.05)
    assert time.monotonic() - started < 2
    assert one.driver.of(A, "sent") == []
    one.driver.go_on("a")
    one.links.forget(A, 10)
    assert one.driver.of(A, "sent", "close") == ["sent 1", "close"]


def test_stop_sends_what_waits(office: Callable[..., Office]) -> None:
    one = office()
    for number in range(50):
        one.send(A, str(number))
    one.links.stop(10)
    assert one.driver.of(A, "sent", "close") == [*(f"sent {number}" for number in range(50)), "close"]
    one.links.stop(10)


def test_stop_does_not_wait_for_a_hung_neighbor_for_long(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.hang("a")
    one.send(A, "1")
    one.send(B, "1")
    one.wait_until(A, "try 1")
    started = time.monotonic()
    one.links.stop(0.2)
    assert time.monotonic() - started < 2
    one.wait_until(B, "sent 1", "close")


def test_many_senders_lose_nothing(office: Callable[..., Office]) -> None:
    one = office(idle_seconds=0.001, open_links=1)

    def send_all(sender: int) -> None:
        for number in range(100):
            one.send((A, B, C)[number % 3], f"{sender}/{number}")

    threads = [threading.Thread(target=send_all, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    wait_for(lambda: one.counters.as_dict().get("sent") == 800, "all are sent")
    assert one.failures == {}
    sent = [line for cell in (A, B, C) for line in one.driver.of(cell, "sent")]
    assert len(sent) == len(set(sent)) == 800

"""The loop: sockets, alarms, and a leader that is away."""

from __future__ import annotations

import math
import selectors
import socket
import threading
import weakref
from collections.abc import Iterator

import pytest

from cells.drivers.direct.loop import Alarm, Loop
from cells.worker_threads import Runtime, Thread, start_thread
from tests.clock import Clock
from tools.polling import poll


@pytest.fixture
def names() -> list[str]:
    """The names of the threads that were started."""
    return []


@pytest.fixture
def loop(names: list[str]) -> Iterator[Loop]:
    def spawn(work: object, name: str) -> Thread:
        names.append(name)
        return start_thread(work, name)  # type: ignore[arg-type]

    loop = Loop(Runtime(spawn=spawn), "loop")
    loop.start()
    yield loop
    loop.stop(10)
    loop.stop(10)


def test_alarms_ring_once_in_their_order(loop: Loop) -> None:
    rung: list[str] = []
    first, second = (Alarm(loop, lambda name=name: rung.append(name)) for name in ("first", "second"))  # type: ignore[misc]
    now = loop.now()
    second.set(now + 0.02)
    first.set(now + 60)
    first.set(now + 0.01)
    first.set(now + 90)
    poll(lambda: len(rung) == 2, "both alarms")
    assert rung == ["first", "second"]
    assert first.due_at == second.due_at == math.inf


def test_an_error_costs_no_other_call(loop: Loop) -> None:
    done = threading.Event()
    loop.call(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    loop.call(done.set)
    assert done.wait(10)


def test_other_sockets_are_served_while_the_leader_is_away(loop: Loop, names: list[str]) -> None:
    pairs = [socket.socketpair() for _ in range(4)]
    served: list[int] = []
    go_on = threading.Event()

    def on_ready(number: int) -> None:
        pairs[number][1].recv(1)
        turn = loop.leave()
        served.append(number)
        if number < 3:
            go_on.wait(30)
        loop.come_back(turn)

    for number, (_, reader) in enumerate(pairs):
        loop.call(
            lambda number=number, reader=reader: loop.watch(  # type: ignore[misc]
                reader, selectors.EVENT_READ, lambda _mask: on_ready(number)
            )
        )
    for number in (0, 1, 2, 3, 3, 3):
        expected = len(served) + 1
        pairs[number][0].send(b"x")
        poll(lambda expected=expected: len(served) == expected, f"service of socket {number}")  # type: ignore[misc]
    go_on.set()
    assert served == [0, 1, 2, 3, 3, 3]
    assert len(names) <= 5
    for writer, _ in pairs:
        writer.send(b"x")
    poll(lambda: sorted(served) == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3], "service of all sockets")
    assert len(names) <= 5
    for writer, _ in pairs:
        writer.close()


def test_a_leader_that_was_idle_for_long_is_watched_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cells.drivers.direct.loop.PATIENCE_SECONDS", 0.0001)
    go_on, done = threading.Event(), threading.Event()

    def stay_away() -> None:
        turn = loop.leave()
        go_on.wait(30)
        loop.come_back(turn)

    loop.call(stay_away)
    loop.call(done.set)
    assert done.wait(10)
    go_on.set()


def test_an_alarm_that_is_canceled_keeps_nothing(loop: Loop) -> None:
    """The loop keeps the alarm itself until its time."""

    class Owner:
        def __init__(self) -> None:
            self.alarm = Alarm(loop, self.ring)

        def ring(self) -> None:
            raise AssertionError("It rings")

    owner = Owner()
    owner.alarm.set(loop.now() + 60.0)
    owner.alarm.cancel()
    kept = weakref.ref(owner)
    del owner
    assert kept() is None


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def timed(clock: Clock) -> Iterator[Loop]:
    """A loop whose clock the test moves."""
    loop = Loop(Runtime(clock=clock), "loop")
    loop.start()
    yield loop
    loop.stop(10)


def test_a_loop_without_work_goes_round(timed: Loop, clock: Clock) -> None:
    clock.advance(100.0)
    poll(lambda: timed.looked_at == 100.0, "the idle loop goes round")
    timed.stop(10)
    assert timed.looked_at is None


def test_a_blocked_thread_does_not_go_round(timed: Loop, clock: Clock) -> None:
    is_blocked, gate = threading.Event(), threading.Event()

    def block() -> None:
        is_blocked.set()
        gate.wait(30)

    timed.call(block)
    assert is_blocked.wait(10)
    clock.advance(100.0)
    assert timed.looked_at == 0.0
    gate.set()
    poll(lambda: timed.looked_at == 100.0, "the loop goes round again")

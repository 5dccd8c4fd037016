"""Waiting calls: completed once, by the last answer or by the deadline, and leaving nothing behind."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.messages import EncodedResponse
from cells.routing.pending import PendingCalls
from cells.routing.reply import DELIVERED, Kind, Reply, ToCaller
from cells.routing.waiting_call import Monitor, Wait
from tests.clock import Clock

PATIENCE = 10.0


class Missing:
    """Substitutes that are texts, and name the part for which they stand."""

    def responses(self, part: str, _named: object, *, is_stopping: bool) -> tuple[EncodedResponse, ...]:
        return (EncodedResponse(f"{'stopped' if is_stopping else 'no'} {part}"),)


class Taken:
    """A sink that calls the test."""

    def __init__(self, take: Callable[[Reply], object]) -> None:
        self._take = take

    def take(self, reply: Reply) -> None:
        self._take(reply)


class Calls:
    """A table of pending calls, and the texts with which each of them was completed."""

    def __init__(self, max_calls: int = 100_000) -> None:
        self.clock = Clock(0.0)
        self.counters = Counters()
        self.table = PendingCalls(max_calls, self.counters, self.clock)
        self.completed: dict[str, list[list[str]]] = {}
        self._finished: queue.SimpleQueue[str] = queue.SimpleQueue()

    def expect(self, message_id: str, *parts: str, timeout: float = 60.0, monitor: Monitor | None = None) -> None:
        sink = Taken(lambda reply: self._complete(message_id, reply))
        self.table.expect(message_id, parts, Wait(timeout, monitor=monitor), sink, Missing())

    def _complete(self, message_id: str, reply: Reply) -> None:
        self.completed.setdefault(message_id, []).append(reply.to_wire())
        self._finished.put(message_id)

    def add(self, message_id: str, part: str, *texts: str) -> bool:
        """Add the answers of a part; without texts, a WORKING reply."""
        return self.table.add(message_id, part, Reply.from_wire(texts))

    def pass_deadline(self, seconds: float) -> None:
        """Let time pass, and have the table look at the clock."""
        self.clock.now += seconds
        self.table.start()

    def wait_for(self, *message_ids: str) -> None:
        """Wait until these calls are completed."""
        missing = set(message_ids)
        while missing:
            missing.discard(self._finished.get(timeout=PATIENCE))

    @property
    def deadlines(self) -> int:
        return self.table.watched_deadlines


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.table.stop()


def test_the_last_answer_completes_a_call(calls: Calls) -> None:
    calls.expect("m", "east", "west")
    assert calls.add("m", "east", "1", "2")
    assert calls.completed == {}
    assert len(calls.table) == 1
    assert calls.add("m", "west", "3")
    assert calls.completed == {"m": [["1", "2", "3"]]}
    assert len(calls.table) == 0


def test_a_call_without_parts_completes_at_once(calls: Calls) -> None:
    calls.expect("m")
    assert calls.completed == {"m": [[]]}
    assert len(calls.table) == 0


def test_a_duplicate_answer_is_refused(calls: Calls) -> None:
    calls.expect("m", "east", "west")
    assert calls.add("m", "east", "1")
    assert not calls.add("m", "east", "again")
    calls.add("m", "west", "2")
    assert not calls.add("m", "west", "again")
    assert calls.completed == {"m": [["1", "2"]]}


def test_an_unsolicited_answer_is_refused(calls: Calls) -> None:
    calls.expect("m", "east")
    assert not calls.add("m", "north", "x")
    assert not calls.add("other", "east", "x")
    assert calls.completed == {}
    calls.add("m", "east", "1")
    assert calls.completed == {"m": [["1"]]}


def test_a_reply_without_responses_is_an_answer_to_a_plain_call(calls: Calls) -> None:
    calls.expect("m", "east")
    assert calls.add("m", "east")
    assert calls.completed == {"m": [[]]}


def test_at_the_deadline_only_missing_answers_are_replaced(calls: Calls) -> None:
    calls.expect("m", "east", "west", "north", timeout=5.0)
    calls.add("m", "west", "1")
    calls.pass_deadline(5.0)
    calls.wait_for("m")
    assert calls.completed == {"m": [["1", "no east", "no north"]]}
    assert calls.counters.as_dict() == {"timed_out": 2}


def test_a_late_answer_is_refused(calls: Calls) -> None:
    calls.expect("m", "east", timeout=5.0)
    calls.pass_deadline(6.0)
    calls.wait_for("m")
    assert not calls.add("m", "east", "late")
    assert calls.completed == {"m": [["no east"]]}


def test_deadlines_are_met_in_their_order(calls: Calls) -> None:
    calls.expect("late", "east", timeout=50.0)
    calls.expect("early", "east", timeout=5.0)
    calls.expect("middle", "east", timeout=20.0)
    calls.pass_deadline(20.0)
    calls.wait_for("early", "middle")
    assert len(calls.table) == 1
    assert calls.add("late", "east", "1")
    assert calls.completed["late"] == [["1"]]


def test_a_deadline_is_met_on_the_real_clock() -> None:
    table = PendingCalls(10, Counters())
    table.start()
    table.start()
    done, never = ToCaller(), ToCaller()
    table.expect("never", ["east"], Wait(3600.0), never, Missing())
    table.expect("m", ["east"], Wait(0.01), done, Missing())
    assert done.future.result(PATIENCE).to_wire() == ["no east"]
    assert not never.future.done()
    table.stop()
    assert never.future.result(0).to_wire() == ["stopped east"]


def test_calls_above_the_limit_are_refused_and_counted(calls: Calls) -> None:
    small = Calls(max_calls=2)
    small.expect("1", "east")
    small.expect("2", "east")
    with pytest.raises(exceptions.ManagerBusy, match="max_pending_calls"):
        small.expect("3", "east")
    assert small.counters.as_dict() == {"refused.ManagerBusy": 1}
    assert small.completed == {}
    small.add("1", "east", "x")
    small.expect("3", "east")
    assert len(small.table) == 2


def test_an_id_cannot_wait_twice(calls: Calls) -> None:
    calls.expect("m", "east")
    with pytest.raises(exceptions.MalformedMessage):
        calls.expect("m", "west")
    calls.add("m", "east", "1")
    assert calls.completed == {"m": [["1"]]}


def test_an_id_that_is_used_again_has_its_own_deadline(calls: Calls) -> None:
    calls.expect("m", "east", timeout=5.0)
    calls.add("m", "east", "1")
    calls.expect("m", "east", timeout=60.0)
    calls.expect("later", "east", timeout=10.0)
    calls.pass_deadline(10.0)
    calls.wait_for("later")
    assert calls.completed["m"] == [["1"]]


def test_stop_completes_all_waiting_calls(calls: Calls) -> None:
    calls.table.start()
    calls.expect("one", "east", "west")
    calls.add("one", "east", "1")
    calls.expect("two", "north")
    calls.table.stop()
    assert calls.completed == {"one": [["1", "stopped west"]], "two": [["stopped north"]]}
    calls.table.stop()
    assert len(calls.completed["one"]) == 1
    with pytest.raises(exceptions.ManagerStopping):
        calls.expect("three", "east")


def test_stop_without_start(calls: Calls) -> None:
    calls.expect("m", "east")
    calls.table.stop()
    assert calls.completed == {"m": [["stopped east"]]}


def test_can_be_started_again(calls: Calls) -> None:
    calls.table.start()
    calls.table.stop()
    calls.table.start()
    calls.expect("m", "east", timeout=5.0)
    assert calls.add("m", "east", "1")


def test_waiting_until_idle_ends_with_the_last_call(calls: Calls) -> None:
    assert calls.table.wait_until_idle(0.0)
    calls.expect("m", "east")
    assert not calls.table.wait_until_idle(0.0)
    with futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(calls.table.wait_until_idle, PATIENCE)
        calls.add("m", "east")
        assert waiting.result(PATIENCE)


class Broken:
    """A sink, and substitutes, with a bug."""

    def take(self, _: Reply) -> None:
        raise RuntimeError("a bug")

    def response(self, _: str, *, is_stopping: bool) -> EncodedResponse:
        raise RuntimeError(f"a bug, {is_stopping}")


def test_a_broken_sink_affects_no_other_call(calls: Calls) -> None:
    calls.table.expect("bug", ["east"], Wait(60.0), Broken(), Broken())
    assert calls.add("bug", "east", "1")
    calls.table.expect("bug", ["east"], Wait(1.0), Broken(), Broken())
    calls.expect("m", "east", timeout=2.0)
    calls.pass_deadline(3.0)
    calls.wait_for("m")
    assert calls.completed == {"m": [["no east"]]}


def test_ten_thousand_calls_leave_nothing_behind(calls: Calls) -> None:
    for number in range(10_000):
        calls.expect(str(number), "east")
        calls.add(str(number), "east", "1")
    assert len(calls.table) == 0
    assert calls.deadlines <= 64
    assert len(calls.completed) == 10_000


def test_a_burst_of_calls_leaves_nothing_behind(calls: Calls) -> None:
    for number in range(10_000):
        calls.expect(str(number), "east")
    assert calls.deadlines == 10_000
    for number in range(10_000):
        calls.add(str(number), "east")
    assert calls.deadlines <= 64


def test_calls_that_time_out_leave_nothing_behind(calls: Calls) -> None:
    for number in range(1000):
        calls.expect(str(number), "east", timeout=1.0 + number % 7)
    calls.pass_deadline(100.0)
    assert calls.table.wait_until_idle(PATIENCE)
    assert calls.deadlines <= 64


def test_many_threads_complete_each_call_once(calls: Calls) -> None:
    parts = [f"c{number}" for number in range(8)]
    ids = [f"m{number}" for number in range(50)]
    for message_id in ids:
        calls.expect(message_id, *parts)
    start = threading.Barrier(len(parts))

    def answer(part: str) -> int:
        start.wait(PATIENCE)
        # Each twice, as a broker that delivers again would.
        return sum(calls.add(message_id, part, part) for message_id in ids for _ in range(2))

    with futures.ThreadPoolExecutor(len(parts)) as pool:
        taken = list(pool.map(answer, parts))
    assert taken == [len(ids)] * len(parts)
    assert {message_id: [sorted(answers) for answers in many] for message_id, many in calls.completed.items()} == {
        message_id: [parts] for message_id in ids
    }


def test_answers_that_race_the_deadline_complete_once(calls: Calls) -> None:
    ids = [f"m{number}" for number in range(200)]
    for message_id in ids:
        calls.expect(message_id, "east", timeout=1.0)
    with futures.ThreadPoolExecutor(4) as pool:
        adding = [pool.submit(calls.add, message_id, "east", "1") for message_id in ids]
        calls.pass_deadline(2.0)
        taken = [done.result(PATIENCE) for done in adding]
    assert calls.table.wait_until_idle(PATIENCE)
    calls.table.stop()
    assert {message_id: calls.completed[message_id] for message_id in ids} == {
        message_id: [["1"] if was_taken else ["no east"]] for message_id, was_taken in zip(ids, taken, strict=True)
    }


def test_silence_ends_a_monitored_call_before_its_deadline(calls: Calls) -> None:
    calls.expect("m", "east", timeout=600.0, monitor=Monitor(3.0))
    calls.expect("other", "east", timeout=600.0)
    calls.pass_deadline(3.1)
    calls.wait_for("m")
    assert calls.completed == {"m": [["no east"]]}
    assert calls.counters.as_dict() == {"timed_out": 1}
    assert len(calls.table) == 1


def test_a_working_reply_keeps_a_monitored_call_waiting_and_is_reported(calls: Calls) -> None:
    signs: list[float] = []
    calls.expect("m", "east", timeout=600.0, monitor=Monitor(3.0, lambda: signs.append(calls.clock.now)))
    for _ in range(5):
        calls.clock.now += 2.9
        assert calls.add("m", "east")
    assert signs == pytest.approx([2.9, 5.8, 8.7, 11.6, 14.5])
    calls.expect("probe", "east", timeout=1.0)
    calls.pass_deadline(1.1)
    calls.wait_for("probe")
    assert "m" not in calls.completed
    assert calls.add("m", "east", "1")
    assert calls.completed["m"] == [["1"]]


def test_working_replies_do_not_move_the_deadline(calls: Calls) -> None:
    calls.expect("m", "east", timeout=5.0, monitor=Monitor(3.0))
    calls.clock.now += 2.9
    calls.add("m", "east")
    calls.pass_deadline(2.2)
    calls.wait_for("m")
    assert calls.completed == {"m": [["no east"]]}


def test_unsolicited_and_late_working_replies_are_refused(calls: Calls) -> None:
    signs: list[None] = []
    calls.expect("m", "east", monitor=Monitor(3.0, lambda: signs.append(None)))
    assert not calls.add("m", "west")
    calls.add("m", "east", "1")
    assert not calls.add("m", "east")
    assert signs == []


def test_working_replies_leave_nothing_behind(calls: Calls) -> None:
    calls.expect("m", "east", timeout=1e6, monitor=Monitor(1.0))
    calls.table.start()
    for _ in range(1000):
        calls.clock.now += 0.5
        calls.add("m", "east")
    assert calls.deadlines < 10
    calls.add("m", "east", "1")
    assert len(calls.table) == 0


def test_answers_that_race_the_silence_complete_once(calls: Calls) -> None:
    ids = [f"m{number}" for number in range(200)]
    for message_id in ids:
        calls.expect(message_id, "east", timeout=600.0, monitor=Monitor(1.0))
    with futures.ThreadPoolExecutor(4) as pool:
        adding = [pool.submit(calls.add, message_id, "east", *texts) for message_id in ids for texts in ((), ("1",))]
        calls.pass_deadline(2.0)
        futures.wait(adding, PATIENCE)
    calls.wait_for(*ids)
    assert [len(calls.completed[message_id]) for message_id in ids] == [1] * len(ids)
    assert len(calls.table) == 0


def test_a_delivered_value_completes_a_call_and_says_so(calls: Calls) -> None:
    caller = ToCaller()
    calls.table.expect("m", ["east"], Wait(60.0), caller, Missing())
    assert calls.table.add("m", "east", DELIVERED)
    assert caller.future.result(0).kind is Kind.DELIVERED


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads that interrupt each other at almost every step."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("often_switched")
def test_answers_that_arrive_at_the_same_time_complete_a_call_once() -> None:
    calls = Calls()
    ids = [str(number) for number in range(8000)]
    for message_id in ids:
        calls.expect(message_id, "east", "west")
    together = threading.Barrier(2)

    def answer(part: str) -> None:
        for number, message_id in enumerate(ids):
            if number % 50 == 0:
                together.wait()
            calls.add(message_id, part, part)

    threads = [threading.Thread(target=answer, args=(part,)) for part in ("east", "west")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {message_id: len(found) for message_id, found in calls.completed.items()} == dict.fromkeys(ids, 1)


def test_the_times_of_calls_are_measured(calls: Calls) -> None:
    calls.expect("answered", "east")
    calls.clock.now += 3
    calls.add("answered", "east", "value")
    assert calls.counters.call_seconds.buckets().total == 3.0


def test_waiting_calls_are_told_apart_by_their_origin(calls: Calls) -> None:
    waits = (
        *[Wait(60.0)] * 2,
        Wait(60.0, is_own=True),
        Wait(60.0, neighbor="west"),
        *[Wait(60.0, is_confirmation=True)] * 3,
    )
    for number, wait in enumerate(waits):
        calls.table.expect(f"call-{number}", ("east",), wait, Taken(lambda _: None), Missing())
    assert calls.table.by_origin() == {"manager": 1, "service": 2, "cast": 3, "neighbor": 1}


def test_casts_that_wait_leave_the_room_of_calls_and_have_a_limit_of_their_own() -> None:
    counters = Counters()
    table = PendingCalls(1, counters, Clock(0.0), max_casts=2)

    def wait(message_id: str, *, is_cast: bool) -> None:
        table.expect(message_id, ("east",), Wait(60.0, is_confirmation=is_cast), Taken(lambda _: None), Missing())

    wait("cast-1", is_cast=True)
    wait("cast-2", is_cast=True)
    wait("call-1", is_cast=False)
    with pytest.raises(exceptions.ManagerBusy, match="max_waiting_casts"):
        wait("cast-3", is_cast=True)
    with pytest.raises(exceptions.ManagerBusy, match="max_pending_calls"):
        wait("call-2", is_cast=False)
    table.forget("cast-1")
    wait("cast-3", is_cast=True)
    assert counters.as_dict() == {"refused.ManagerBusy": 2}

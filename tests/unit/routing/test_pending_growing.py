"""Growing calls: their answers come one by one, from cells that are not all known at the start."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from cells.counters import Counters
from cells.routing.pending import PendingCalls
from cells.routing.reply import WORKING, Reply
from cells.routing.waiting_call import Growing, Monitor, Wait
from tests.cases import each
from tests.clock import Clock
from tests.unit.routing.test_pending import PATIENCE, Broken, Missing, Taken


class Broadcast:
    """One call, and the replies that its sinks took."""

    def __init__(self, *parts: str, streams: bool = False, timeout: float = 60.0) -> None:
        self.clock = Clock(0.0)
        self.counters = Counters()
        self.table = PendingCalls(10, self.counters, self.clock)
        self.told: list[tuple[str, list[str]]] = []
        self.completed: list[list[str]] = []
        self.is_complete = threading.Event()
        growing = Growing(Taken(self._tell) if streams else None)
        wait = Wait(timeout, growing=growing)
        self.table.expect("m", parts, wait, Taken(self._complete), Missing())

    def _tell(self, reply: Reply) -> None:
        self.told.append((reply.branch, reply.to_wire()))

    def _complete(self, reply: Reply) -> None:
        self.completed.append(reply.to_wire())
        self.is_complete.set()

    def add(self, part: str, *passed_on_to: str) -> bool:
        """Add the answer of a part; its text is the name of the part."""
        return self.table.add("m", part, Reply.from_wire([part], passed_on_to))

    def announce(self, part: str, *passed_on_to: str) -> bool:
        """Add a WORKING reply of a part."""
        return self.table.add("m", part, Reply.from_wire([], passed_on_to))

    def pass_deadline(self) -> None:
        self.clock.now += 61.0
        self.table.start()
        assert self.is_complete.wait(PATIENCE)


Make = Callable[..., Broadcast]


@pytest.fixture
def start() -> Iterator[Make]:
    """Starter of broadcasts that end with the test."""
    started: list[Broadcast] = []

    def start_broadcast(*parts: str, **options: Any) -> Broadcast:
        started.append(Broadcast(*parts, **options))
        return started[-1]

    yield start_broadcast
    for one in started:
        one.table.stop()


@pytest.fixture(params=[False, True], ids=["gathered", "streamed"])
def make(start: Make, request: pytest.FixtureRequest) -> Make:
    return functools.partial(start, streams=request.param)


def answers(one: Broadcast) -> list[str]:
    """All texts that the sinks took, one by one or at the end."""
    told = [text for _, texts in one.told for text in texts]
    return told + [text for texts in one.completed for text in texts]


def test_cells_that_an_answer_names_are_waited_for(make: Make) -> None:
    one = make("east")
    assert one.add("east", "az1", "az2")
    assert one.completed == []
    assert one.add("east!az1", "far")
    assert one.add("east!az2")
    assert one.completed == []
    assert one.add("east!az1!far")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "east!az1", "east!az2", "east!az1!far"]
    assert len(one.table) == 0


def test_an_answer_may_arrive_before_the_answer_that_names_its_cell(make: Make) -> None:
    one = make("east")
    assert one.add("east!az1!far")
    assert one.add("east!az1", "far")
    assert one.completed == []
    assert one.add("east", "az1")
    assert len(one.completed) == 1
    assert answers(one) == ["east!az1!far", "east!az1", "east"]


@each("part", ["east", "east!az1", "west!early"])
def test_a_duplicate_answer_is_refused(make: Make, part: str) -> None:
    one = make("east", "west")
    one.add("east", "az1")
    one.add("east!az1")
    assert one.add("west!early")
    assert not one.add(part)
    assert not one.add(part, "another", "cell")
    assert one.add("west")
    assert len(one.completed) == 1
    assert sorted(answers(one)) == ["east", "east!az1", "west", "west!early"]


def test_a_cell_that_is_named_twice_is_waited_for_once(make: Make) -> None:
    one = make("east", "west")
    one.add("east", "x", "x")
    one.announce("east", "x")
    one.add("west")
    assert one.completed == []
    assert one.add("east!x")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "west", "east!x"]


def test_cells_of_one_name_below_different_cells_are_different(make: Make) -> None:
    """A cell names only its own neighbors, so it cannot claim a part of another branch."""
    one = make("east", "west")
    one.add("east", "x", "west")
    one.add("west", "x")
    assert one.add("west!x")
    assert one.add("east!x")
    assert one.completed == []
    assert one.add("east!west")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "west", "west!x", "east!x", "east!west"]


@each("stranger", ["north", "easter", "east2!az1", "north!east", "x!west", ""])
def test_a_cell_outside_the_asked_branches_is_refused(make: Make, stranger: str) -> None:
    one = make("east", "west")
    assert not one.add(stranger)
    assert not one.add(stranger, "far")
    one.announce(stranger, "far")
    assert one.add("east")
    assert one.add("west")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "west"]


def test_a_cell_may_name_others_before_it_has_an_answer_and_is_still_waited_for(make: Make) -> None:
    one = make("east")
    assert one.announce("east", "az1")
    assert one.add("east!az1")
    assert one.completed == []
    assert one.announce("east", "az1", "az2")
    assert one.add("east", "az1", "az2")
    assert one.completed == []
    assert one.add("east!az2")
    assert len(one.completed) == 1
    assert answers(one) == ["east!az1", "east", "east!az2"]


def test_a_cell_that_only_named_others_is_missing_at_the_deadline_and_so_are_the_others(make: Make) -> None:
    one = make("east")
    one.announce("east", "az1")
    one.pass_deadline()
    assert answers(one) == ["no east", "no east!az1"]
    assert one.counters.as_dict() == {"broadcast.incomplete": 1, "timed_out": 2}
    assert not one.announce("east", "az2")


def test_a_forgotten_call_gives_its_sinks_nothing_and_waits_no_more(make: Make) -> None:
    one = make("east", "west")
    one.add("east")
    told = list(one.told)
    one.table.forget("m")
    assert len(one.table) == 0
    assert one.table.wait_until_idle(0.0)
    assert not one.add("west")
    one.table.forget("m")
    one.table.forget("never heard of")
    one.clock.now += 61.0
    one.table.start()
    one.table.stop()
    assert one.told == told
    assert one.completed == []
    assert one.counters.as_dict() == {}


def test_at_the_deadline_missing_answers_of_deeper_cells_are_replaced_too(make: Make) -> None:
    one = make("east", "west")
    one.add("east", "az1", "az2")
    one.add("east!az1")
    one.pass_deadline()
    assert len(one.completed) == 1
    assert answers(one) == ["east", "east!az1", "no east!az2", "no west"]
    assert one.counters.as_dict() == {"broadcast.incomplete": 1, "timed_out": 2}
    assert not one.add("east!az2")
    assert not one.add("west", "more")
    assert not one.announce("west", "more")


def test_at_a_stop_all_missing_answers_are_replaced(make: Make) -> None:
    one = make("east")
    one.add("east", "az1")
    one.table.stop()
    assert len(one.completed) == 1
    assert answers(one) == ["east", "stopped east!az1"]
    assert one.counters.as_dict() == {"broadcast.incomplete": 1, "given_up": 1}


def test_one_part_may_have_many_answers(make: Make) -> None:
    one = make("east")
    assert one.table.add("m", "east", Reply.from_wire(["1", "2", "3"]))
    assert len(one.completed) == 1
    assert answers(one) == ["1", "2", "3"]


def test_a_call_that_does_not_grow_refuses_cells_that_were_not_asked() -> None:
    table = PendingCalls(10, Counters())
    done: list[Reply] = []
    table.expect("m", ["east"], Wait(60.0), Taken(done.append), Missing())
    assert not table.add("m", "east!az1", Reply.from_wire(["x"]))
    assert table.add("m", "east", Reply.from_wire(["1"], ["east!az1"]))
    assert [reply.to_wire() for reply in done] == [["1"]]


def test_each_answer_is_streamed_once_and_none_is_left_for_the_end(start: Make) -> None:
    one = start("east", "west", streams=True)
    one.add("east!az1")
    assert one.told == [("east!az1", ["east!az1"])]
    one.add("east", "az1", "az2")
    one.add("east")
    assert one.told[1:] == [("east", ["east"])]
    one.pass_deadline()
    assert one.told[2:] == [("east!az2", ["no east!az2"]), ("west", ["no west"])]
    assert one.completed == [[]]


def test_a_growing_call_may_be_monitored(start: Make) -> None:
    one = start("x")
    done: list[Reply] = []
    wait = Wait(600.0, monitor=Monitor(3.0), growing=Growing())
    one.table.expect("watched", ["east"], wait, Taken(done.append), Missing())
    assert one.table.add("watched", "east", WORKING)
    assert one.table.add("watched", "east", Reply.from_wire(["1"]))
    assert [reply.to_wire() for reply in done] == [["1"]]


def test_it_completes_after_all_answers_were_streamed(start: Make) -> None:
    """Answers are streamed on the threads on which they arrive: the last answer may overtake another."""
    one = start("unused")
    is_told, go_on = threading.Event(), threading.Event()
    diary: list[str] = []

    def tell(reply: Reply) -> None:
        if reply.branch == "slow":
            is_told.set()
            assert go_on.wait(PATIENCE), "The test never let go"
        diary.append(reply.branch)

    wait = Wait(60.0, growing=Growing(Taken(tell)))
    one.table.expect("two", ["slow", "fast"], wait, Taken(lambda _: diary.append("end")), Missing())
    with futures.ThreadPoolExecutor(1) as pool:
        adding = pool.submit(one.table.add, "two", "slow", Reply.from_wire(["1"]))
        assert is_told.wait(PATIENCE)
        assert one.table.add("two", "fast", Reply.from_wire(["2"]))
        assert diary == ["fast"]
        go_on.set()
        assert adding.result(PATIENCE)
    assert diary == ["fast", "slow", "end"]


def test_at_the_deadline_too_it_completes_after_all_answers_were_streamed(start: Make) -> None:
    one = start("unused", timeout=1e6)
    is_told, go_on, is_substituted = threading.Event(), threading.Event(), threading.Event()
    diary: list[str] = []

    def tell(reply: Reply) -> None:
        if reply.branch == "slow":
            is_told.set()
            assert go_on.wait(PATIENCE), "The test never let go"
        diary.extend(reply.to_wire())
        if reply.branch == "silent":
            is_substituted.set()

    wait = Wait(60.0, growing=Growing(Taken(tell)))
    one.table.expect("two", ["slow", "silent"], wait, Taken(lambda _: diary.append("end")), Missing())
    with futures.ThreadPoolExecutor(1) as pool:
        adding = pool.submit(one.table.add, "two", "slow", Reply.from_wire(["1"]))
        assert is_told.wait(PATIENCE)
        one.clock.now += 61.0
        one.table.start()
        assert is_substituted.wait(PATIENCE)
        assert diary == ["no silent"]
        go_on.set()
        assert adding.result(PATIENCE)
    assert diary == ["no silent", "1", "end"]


def test_a_broken_sink_of_parts_does_not_keep_a_call_from_its_end(
    start: Make, caplog: pytest.LogCaptureFixture
) -> None:
    one = start("unused")
    done: list[Reply] = []
    one.table.expect("bug", ["east", "west"], Wait(60.0, growing=Growing(Broken())), Taken(done.append), Missing())
    assert one.table.add("bug", "east", Reply.from_wire(["1"]))
    assert one.table.add("bug", "west", Reply.from_wire(["2"]))
    assert [reply.to_wire() for reply in done] == [[]]
    assert caplog.text.count("could not be passed on") == 2


def test_many_threads_stream_each_answer_once_and_complete_the_call_once(start: Make) -> None:
    tops = [f"c{number}" for number in range(8)]
    one = start(*tops, streams=True)
    together = threading.Barrier(len(tops))

    def answer(top: str) -> int:
        together.wait(PATIENCE)
        names = [str(number) for number in range(50)]
        below = [f"{top}!{name}" for name in names]
        # Some before the answer that names them, each twice, as a broker that delivers again would.
        parts = [*below[:25], top, *below[25:]]
        return sum(one.add(part, *(names if part == top else ())) for part in parts for _ in range(2))

    with futures.ThreadPoolExecutor(len(tops)) as pool:
        taken = list(pool.map(answer, tops))
    assert taken == [51] * len(tops)
    assert one.completed == [[]]
    assert sorted(part for part, _ in one.told) == sorted([*tops, *(f"{top}!{n}" for top in tops for n in range(50))])

"""Calls whose answers come one by one from cells that are not all known when it starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from cells.counters import Counters
from cells.routing.pending import Growing, Monitor, PendingCalls, Wait
from cells.routing.reply import WORKING, Reply
from tests.cases import each
from tests.unit.routing.test_pending import PATIENCE, Broken, Clock, Missing, Taken


class Broadcast:
    """One call, what came of it, and when it was complete."""

    def __init__(self, *parts: str, streams: bool = False, timeout: float = 60.0) -> None:
        self.clock = Clock()
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
        """Take the answer of a part, which is its name; it has passed the message on to neighbors of its own."""
        return self.table.add("m", part, Reply.from_wire([part], passed_on_to))

    def announce(self, part: str, *passed_on_to: str) -> bool:
        """A part says for whom to wait, and has no answer yet."""
        return self.table.add("m", part, Reply.from_wire([], passed_on_to))

    def pass_deadline(self) -> None:
        self.clock.now += 61.0
        self.table.start()
        assert self.is_complete.wait(PATIENCE)


@pytest.fixture
def opened() -> Iterator[list[Broadcast]]:
    opened: list[Broadcast] = []
    yield opened
    for one in opened:
        one.table.stop()


@pytest.fixture(params=[False, True], ids=["gathered", "streamed"])
def streams(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Make:
    """Starts a broadcast that ends with the test."""

    def __init__(self, opened: list[Broadcast], streams: bool) -> None:
        self._opened = opened
        self._streams = streams

    def __call__(self, *parts: str) -> Broadcast:
        self._opened.append(Broadcast(*parts, streams=self._streams))
        return self._opened[-1]


@pytest.fixture
def make(opened: list[Broadcast], streams: bool) -> Make:
    return Make(opened, streams)


def answers(one: Broadcast) -> list[str]:
    """All that came, told one by one or at the end."""
    told = [text for _, texts in one.told for text in texts]
    return told + [text for texts in one.completed for text in texts]


def test_who_is_named_by_an_answer_is_waited_for(make: Make) -> None:
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


def test_an_answer_may_be_there_before_the_one_that_names_it(make: Make) -> None:
    one = make("east")
    assert one.add("east!az1!far")
    assert one.add("east!az1", "far")
    assert one.completed == []
    assert one.add("east", "az1")
    assert len(one.completed) == 1
    assert answers(one) == ["east!az1!far", "east!az1", "east"]


@each("part", ["east", "east!az1", "west!early"])
def test_an_answer_that_comes_twice_counts_once(make: Make, part: str) -> None:
    one = make("east", "west")
    one.add("east", "az1")
    one.add("east!az1")
    assert one.add("west!early")
    assert not one.add(part)
    assert not one.add(part, "somebody", "else")
    assert one.add("west")
    assert len(one.completed) == 1
    assert sorted(answers(one)) == ["east", "east!az1", "west", "west!early"]


def test_a_part_that_is_named_twice_is_waited_for_once(make: Make) -> None:
    one = make("east", "west")
    one.add("east", "x", "x")
    one.announce("east", "x")
    one.add("west")
    assert one.completed == []
    assert one.add("east!x")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "west", "east!x"]


def test_neighbors_of_one_name_are_others_below_others(make: Make) -> None:
    """A cell names its own neighbors, so it can claim nothing of the branch of another."""
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
def test_who_was_not_asked_nor_is_below_one_that_was_says_nothing(make: Make, stranger: str) -> None:
    one = make("east", "west")
    assert not one.add(stranger)
    assert not one.add(stranger, "far")
    one.announce(stranger, "far")
    assert one.add("east")
    assert one.add("west")
    assert len(one.completed) == 1
    assert answers(one) == ["east", "west"]


def test_who_has_no_answer_yet_says_for_whom_to_wait_and_is_waited_for_itself(make: Make) -> None:
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


def test_who_only_said_for_whom_to_wait_is_missing_at_the_end_and_so_are_they(make: Make) -> None:
    one = make("east")
    one.announce("east", "az1")
    one.pass_deadline()
    assert answers(one) == ["no east", "no east!az1"]
    assert one.counters.as_dict() == {"timed_out": 2}
    assert not one.announce("east", "az2")


def test_what_is_forgotten_is_neither_told_nor_completed_nor_waited_for(make: Make) -> None:
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


def test_at_the_deadline_whatever_is_missing_is_substituted_the_deeper_parts_as_well(make: Make) -> None:
    one = make("east", "west")
    one.add("east", "az1", "az2")
    one.add("east!az1")
    one.pass_deadline()
    assert len(one.completed) == 1
    assert answers(one) == ["east", "east!az1", "no east!az2", "no west"]
    assert one.counters.as_dict() == {"timed_out": 2}
    assert not one.add("east!az2")
    assert not one.add("west", "more")
    assert not one.announce("west", "more")


def test_a_stop_says_so_for_all_that_is_missing(make: Make) -> None:
    one = make("east")
    one.add("east", "az1")
    one.table.stop()
    assert len(one.completed) == 1
    assert answers(one) == ["east", "stopped east!az1"]
    assert one.counters.as_dict() == {"given_up": 1}


def test_one_part_may_have_many_answers(make: Make) -> None:
    one = make("east")
    assert one.table.add("m", "east", Reply.from_wire(["1", "2", "3"]))
    assert len(one.completed) == 1
    assert answers(one) == ["1", "2", "3"]


def test_a_call_that_does_not_grow_takes_nobody_who_was_not_asked() -> None:
    table = PendingCalls(10, Counters())
    done: list[Reply] = []
    table.expect("m", ["east"], Wait(60.0), Taken(done.append), Missing())
    assert not table.add("m", "east!az1", Reply.from_wire(["x"]))
    assert table.add("m", "east", Reply.from_wire(["1"], ["east!az1"]))
    assert [reply.to_wire() for reply in done] == [["1"]]


def test_each_part_is_told_once_as_it_comes_and_nothing_at_the_end(opened: list[Broadcast]) -> None:
    one = Broadcast("east", "west", streams=True)
    opened.append(one)
    one.add("east!az1")
    assert one.told == [("east!az1", ["east!az1"])]
    one.add("east", "az1", "az2")
    one.add("east")
    assert one.told[1:] == [("east", ["east"])]
    one.pass_deadline()
    assert one.told[2:] == [("east!az2", ["no east!az2"]), ("west", ["no west"])]
    assert one.completed == [[]]


def test_of_a_call_that_is_watched_the_parts_are_heard_as_well(opened: list[Broadcast]) -> None:
    one = Broadcast("x")
    opened.append(one)
    done: list[Reply] = []
    wait = Wait(600.0, monitor=Monitor(3.0), growing=Growing())
    one.table.expect("watched", ["east"], wait, Taken(done.append), Missing())
    assert one.table.add("watched", "east", WORKING)
    assert one.table.add("watched", "east", Reply.from_wire(["1"]))
    assert [reply.to_wire() for reply in done] == [["1"]]


def test_it_is_complete_only_when_all_answers_were_told(opened: list[Broadcast]) -> None:
    """They are told on the threads on which they come: the last one may overtake another."""
    one = Broadcast("unused")
    opened.append(one)
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


def test_so_it_is_at_the_deadline(opened: list[Broadcast]) -> None:
    one = Broadcast("unused", timeout=1e6)
    opened.append(one)
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


def test_who_fails_to_hear_an_answer_does_not_keep_it_from_its_end(
    opened: list[Broadcast], caplog: pytest.LogCaptureFixture
) -> None:
    one = Broadcast("unused")
    opened.append(one)
    done: list[Reply] = []
    one.table.expect("bug", ["east", "west"], Wait(60.0, growing=Growing(Broken())), Taken(done.append), Missing())
    assert one.table.add("bug", "east", Reply.from_wire(["1"]))
    assert one.table.add("bug", "west", Reply.from_wire(["2"]))
    assert [reply.to_wire() for reply in done] == [[]]
    assert caplog.text.count("could not be passed on") == 2


def test_many_threads_tell_each_part_once_and_end_it_once(opened: list[Broadcast]) -> None:
    tops = [f"c{number}" for number in range(8)]
    one = Broadcast(*tops, streams=True)
    opened.append(one)
    start = threading.Barrier(len(tops))

    def answer(top: str) -> int:
        start.wait(PATIENCE)
        names = [str(number) for number in range(50)]
        below = [f"{top}!{name}" for name in names]
        # Some before the one that names them, each twice, as a broker that delivers again would.
        parts = [*below[:25], top, *below[25:]]
        return sum(one.add(part, *(names if part == top else ())) for part in parts for _ in range(2))

    with futures.ThreadPoolExecutor(len(tops)) as pool:
        taken = list(pool.map(answer, tops))
    assert taken == [51] * len(tops)
    assert one.completed == [[]]
    assert sorted(part for part, _ in one.told) == sorted([*tops, *(f"{top}!{n}" for top in tops for n in range(50))])

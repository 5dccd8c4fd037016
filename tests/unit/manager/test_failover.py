"""Failover: one candidate after the other until one accepts, and never two that may have run the task."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions, failure
from cells.counters import Counters
from cells.limited_log import LimitedLog
from cells.manager.failover import MAX_REASON_LENGTH, MAX_REASONS, MAX_REASONS_IN_TEXT, Failover
from cells.scheduler import Candidate, Ranking
from tests.cases import each
from tests.clock import Clock
from tests.unit.scheduler.candidates import child, own

Attempt = Callable[[Candidate, float], "futures.Future[str]"]
PASSED_OVER = [
    exceptions.NoCellsAvailable("None here."),
    exceptions.CellNotFound("No such cell."),
    exceptions.MaxHopCountReached("Too far."),
    exceptions.NeighborUnreachable("Down."),
    exceptions.NeighborBusy("Busy."),
    exceptions.ServiceUnreachable("No broker."),
    exceptions.ManagerBusy("Busy."),
    exceptions.ServiceNotAllowed("Not here."),
    exceptions.UnknownMethod("Too old."),
]


class MayArrive(exceptions.NeighborUnreachable):
    """The error of a broker that hung and may still deliver the message."""

    may_arrive = True


FINAL = [
    MayArrive("Hung."),
    exceptions.CellTimeout("Silent."),
    exceptions.ServiceTimeout("Silent."),
    exceptions.ManagerStopping("Bye."),
    exceptions.RemoteError("ValueError: x", exc_type="ValueError"),
    exceptions.MalformedMessage("What?"),
    exceptions.InvalidArguments("What?"),
    exceptions.MessageTooLarge("Large."),
    RuntimeError("a bug"),
]


class Cells:
    """The answers of the cells, and the attempts in their order: cell and seconds."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, float]] = []

    def __call__(self, candidate: Candidate, seconds: float) -> futures.Future[str]:
        self.asked.append((candidate.name, seconds))
        answer = self.answers[candidate.name]
        if isinstance(answer, futures.Future):
            return answer
        done: futures.Future[str] = futures.Future()
        if isinstance(answer, Exception):
            done.set_exception(answer)
        else:
            done.set_result(answer)
        return done

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def start(
    attempt: Attempt, names: str, rejected: Mapping[str, str] | None = None, **options: Any
) -> futures.Future[str]:
    candidates = [own("api!self") if name == "self" else child(f"api!{name}") for name in names.split()]
    settings = {
        "timeout_seconds": 10.0,
        "description": "inventory:count",
        "counters": Counters(),
        "log": LimitedLog(logging.getLogger("cells.tests.failover")),
        **options,
    }
    return Failover(Ranking(candidates, dict(rejected or {})), attempt=attempt, **settings).start()


def remote(error: Exception) -> Exception:
    """Return the error as another cell sends it back."""
    return failure.from_json(failure.to_json(error), ("cells.exceptions",))


def test_the_first_candidate_accepts() -> None:
    cells, counters = Cells({"a": "yes", "b": "no"}), Counters()
    assert start(cells, "a b", counters=counters).result(0) == "yes"
    assert cells.asked == [("a", pytest.approx(10.0, abs=1.0))]
    assert counters.as_dict() == {"picked.child": 1}


@each("error", PASSED_OVER, ids=lambda error: type(error).__name__)
@each("travels", [False, True])
def test_if_nothing_has_run_the_next_candidate_is_tried(error: Exception, travels: bool) -> None:
    cells, counters = Cells({"a": remote(error) if travels else error, "self": "yes"}), Counters()
    assert start(cells, "a self", counters=counters).result(0) == "yes"
    assert cells.names == ["a", "self"]
    assert counters.as_dict() == {f"passed_over.{type(error).__name__}": 1, "picked.self": 1}


@each("error", FINAL, ids=lambda error: type(error).__name__)
def test_if_it_may_have_run_no_other_candidate_is_tried(error: Exception) -> None:
    cells, counters = Cells({"a": exceptions.ManagerBusy("Busy."), "b": error, "c": "no"}), Counters()
    answer = start(cells, "a b c", counters=counters)
    assert answer.exception(0) is error
    assert cells.names == ["a", "b"]
    assert counters.as_dict() == {"passed_over.ManagerBusy": 1}


def test_a_raised_error_counts_as_an_answered_error() -> None:
    def attempt(candidate: Candidate, seconds: float) -> futures.Future[str]:
        if candidate.name == "a":
            raise exceptions.ServiceNotAllowed("Not here.")
        return Cells({"b": "yes"})(candidate, seconds)

    assert start(attempt, "a b").result(0) == "yes"


def test_a_bug_is_an_error_of_the_future() -> None:
    def attempt(candidate: Candidate, seconds: float) -> futures.Future[str]:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        start(attempt, "a b").result(0)


def test_all_refuse() -> None:
    below = exceptions.NoCellsAvailable("None.", reasons={"api!a": "it is xen", "api!a!x": "it is excluded"})
    cells = Cells({"a": remote(below), "b": exceptions.NeighborUnreachable("The broker is down.")})
    answer = start(cells, "a b", {"api": "it announces no hypervisor, not kvm"})
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        answer.result(0)
    reasons = {
        "api": "it announces no hypervisor, not kvm",
        "api!a": "it is xen",
        "api!a!x": "it is excluded",
        "api!b": "The broker is down.",
    }
    assert caught.value.reasons == reasons
    assert caught.value.message == (
        "There is no cell for inventory:count (api: it announces no hypervisor, not kvm; "
        "api!a: it is xen; api!a!x: it is excluded; api!b: The broker is down)."
    )
    traveled = remote(caught.value)
    assert isinstance(traveled, exceptions.NoCellsAvailable)
    assert traveled.reasons == reasons


def test_there_is_no_candidate() -> None:
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        start(Cells({}), "").result(0)
    assert caught.value.reasons == {}


@each("reasons", [None, [], "x", 7, {}])
def test_a_child_without_reasons_is_named_itself(reasons: Any) -> None:
    answer = start(Cells({"a": exceptions.NoCellsAvailable("None here.", reasons=reasons)}), "a")
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        answer.result(0)
    assert caught.value.reasons == {"api!a": "None here."}


def test_an_error_without_a_text_is_named_by_its_class() -> None:
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        start(Cells({"a": remote(exceptions.ManagerBusy())}), "a").result(0)
    assert caught.value.reasons == {"api!a": "ManagerBusy"}


def test_reasons_of_another_cell_are_bounded_and_texts() -> None:
    odd: Any = {f"api!a!{number}": ["x" * 10_000] for number in range(3 * MAX_REASONS)}
    cells = Cells({"a": exceptions.NoCellsAvailable("None.", reasons=odd), "b": exceptions.NeighborBusy("Busy.")})
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        start(cells, "a b").result(0)
    reasons = caught.value.reasons or {}
    assert len(reasons) == MAX_REASONS
    assert all(isinstance(reason, str) and len(reason) <= MAX_REASON_LENGTH + 3 for reason in reasons.values())
    assert f"and {MAX_REASONS + 1 - MAX_REASONS_IN_TEXT} more)" in caught.value.message
    assert len(caught.value.message) < 2 * MAX_REASONS_IN_TEXT * MAX_REASON_LENGTH


def test_thousands_of_candidates_that_fail_at_once_do_not_recurse() -> None:
    names = [f"c{number}" for number in range(5000)]
    cells = Cells({**{name: exceptions.NeighborBusy("Busy.") for name in names}, "last": "yes"})
    assert start(cells, " ".join([*names, "last"])).result(0) == "yes"
    assert len(cells.asked) == 5001


def test_the_next_candidate_gets_the_remaining_seconds() -> None:
    clock, first = Clock(), futures.Future[str]()
    cells = Cells({"a": first, "b": "yes"})
    answer = start(cells, "a b", clock=clock)
    assert not answer.done()
    clock.now += 4.0
    first.set_exception(exceptions.NeighborUnreachable("Down."))
    assert answer.result(0) == "yes"
    assert cells.asked == [("a", 10.0), ("b", 6.0)]


def test_after_the_deadline_no_other_cell_is_tried() -> None:
    clock, first = Clock(), futures.Future[str]()
    cells = Cells({"a": first, "b": "no"})
    answer = start(cells, "a b", clock=clock)
    clock.now += 10.0
    first.set_exception(exceptions.NeighborUnreachable("It is down."))
    with pytest.raises(exceptions.CellTimeout, match=r"inventory:count.*\(api!a: It is down\)"):
        answer.result(0)
    assert cells.names == ["a"]


def test_the_answer_is_set_on_the_thread_that_finishes_the_attempt() -> None:
    first = futures.Future[str]()
    answer = start(Cells({"a": first, "b": "yes"}), "a b")
    threads: list[str] = []
    answer.add_done_callback(lambda _: threads.append(threading.current_thread().name))
    bringing = threading.Thread(target=first.set_exception, args=(exceptions.ManagerBusy("Busy."),), name="bringing")
    bringing.start()
    bringing.join()
    assert (threads, answer.result(0)) == (["bringing"], "yes")


def test_the_caller_cannot_cancel() -> None:
    first = futures.Future[str]()
    answer = start(Cells({"a": first}), "a")
    assert not answer.cancel()
    first.set_result("yes")
    assert answer.result(0) == "yes"


def test_a_canceled_attempt_is_an_error() -> None:
    first = futures.Future[str]()
    answer = start(Cells({"a": first, "b": "no"}), "a b")
    first.cancel()
    with pytest.raises(futures.CancelledError):
        answer.result(0)

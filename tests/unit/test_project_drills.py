"""The promises of the fault drills: a drill that cannot fail would be worse than none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cells import exceptions
from drills import ledger, report
from drills.catalog import DRILLS
from drills.evidence import Evidence, Window
from drills.figures import DIRECT_FIGURES, FIGURES
from drills.ledger import Counts
from drills.operation import Answer, Failure, Operation, Outcome
from drills.verdict import Verdict, judge
from tools.direct_links import Links

ALL = ("api", "east", "west", "az1", "az2")
REFUSED = Failure("NeighborUnreachable", "the broker is down", is_refusal=True)
TIMEOUT = Failure("Timeout", "no answer", is_refusal=False)


def operation(kind: str, *outcomes: Outcome, number: str = "1", began_at: float = 10.0) -> Operation:
    """Return a message of the client at api."""
    return Operation(number, kind, "api", began_at, outcomes or (Outcome(began_at + 1),))


def verdict(
    *operations: Operation,
    ran: dict[tuple[str, str], int] | None = None,
    drill: str = "kill9-east",
    counted: Counts | None = None,
    logged: int | None = None,
    broker_down_at: float | None = None,
    connected_at: float | None = None,
    links: Links = "rpc",
) -> Verdict:
    window = Window(9.0, 15.0, broker_down_at, connected_at)
    counted = counted or Counts()
    if logged is None:
        logged = counted.lost + counted.may_have_arrived
    return judge(DRILLS[drill], Evidence(operations, Counter(ran or {}), counted, logged, window, (), links))


def test_no_promise_is_broken_when_each_message_runs_once() -> None:
    answers = tuple(Answer(cell) for cell in ALL)
    found = verdict(
        operation("rcall", Outcome(11.0, value="1")),
        operation("ecast", number="2"),
        operation("bcall", Outcome(11.0, answers=answers), number="3"),
        operation("bcast", number="4"),
        ran={("1", "az1"): 1, ("2", "az1"): 1, **{(number, cell): 1 for number in "34" for cell in ALL}},
    )
    assert found.violations == []
    assert (found.sent, found.lost, found.silent) == ({"call": 1, "ecast": 1, "bcall": 1, "bcast": 1}, {}, 0)


def test_a_failed_branch_is_one_error() -> None:
    """Its cells were not mentioned at release 0.2, with whose figures the errors are compared."""
    answers = tuple(Answer(cell, None if cell in {"api", "west"} else TIMEOUT) for cell in ALL)
    found = verdict(operation("bcall", Outcome(11.0, answers=answers)))
    assert (found.told, found.unmentioned) == ({"cells": 1}, 0)


@pytest.mark.parametrize(
    ("found", "numbers"),
    [
        pytest.param(verdict(operation("ecast")), {"lost": {"ecast": 1}, "silent": 1}, id="silent loss"),
        pytest.param(
            verdict(operation("bcast"), ran={("1", cell): 1 for cell in ("api", "east", "west")}),
            {"lost": {"bcast": 2}, "silent": 2},
            id="one loss for each branch",
        ),
        pytest.param(
            verdict(operation("bcast"), ran={("1", cell): 1 for cell in ("api", "west")}),
            {"lost": {"bcast": 1}, "silent": 1},
            id="one loss for a whole branch",
        ),
        pytest.param(verdict(counted=Counts(lost=1)), {"lost": {}, "silent": 0}, id="counted, but not lost"),
        pytest.param(verdict(operation("ecast"), counted=Counts(lost=1), logged=0), {"silent": 0}, id="not in the log"),
        pytest.param(verdict(counted=Counts(in_flight=1)), {}, id="in flight at the end"),
        pytest.param(
            verdict(operation("ecast"), drill="sigterm-east", counted=Counts(lost=1)),
            {"silent": 0},
            id="counted loss in an orderly restart",
        ),
        pytest.param(verdict(Operation("1", "rcall", "api", 10.0)), {}, id="no outcome"),
        pytest.param(
            verdict(operation("rcall", Outcome(11.0, value="1"), Outcome(12.0)), ran={("1", "az1"): 1}),
            {},
            id="two outcomes",
        ),
        pytest.param(
            verdict(operation("rcall", Outcome(11.0, value="2")), ran={("1", "az1"): 1}), {}, id="wrong answer"
        ),
        pytest.param(
            verdict(operation("rcall", Outcome(11.0, value="1")), ran={("1", "az1"): 2}), {"doubled": 1}, id="doubled"
        ),
        pytest.param(verdict(ran={("1", "az1"): 1}), {}, id="ran without being sent"),
        pytest.param(
            verdict(operation("rcast", Outcome(11.0, failure=REFUSED)), ran={("1", "az1"): 1}),
            {"told": {"rcast": 1, "cells": 0}},
            id="ran although refused",
        ),
        pytest.param(
            verdict(operation("bcall", Outcome(11.0, answers=(Answer("east", REFUSED),))), ran={("1", "east"): 1}),
            {"unmentioned": 4},
            id="ran in a cell although refused there",
        ),
        pytest.param(
            verdict(operation("rcall", Outcome(30.0, failure=TIMEOUT))), {"longest_seconds": 20.0}, id="late outcome"
        ),
        pytest.param(
            verdict(*(operation("ecast", Outcome(11.0, failure=TIMEOUT), number=str(number)) for number in range(3))),
            {"told": {"ecast": 3, "cells": 0}},
            id="more errors than before",
        ),
    ],
)
def test_a_broken_promise_is_found(found: Verdict, numbers: dict[str, Any]) -> None:
    assert found.violations
    assert {name: getattr(found, name) for name in numbers} == numbers


def test_losses_are_not_silent_if_they_are_counted_or_in_a_dropped_queue() -> None:
    lost = [operation("ecast", number=str(number)) for number in range(3)]
    assert verdict(*lost, counted=Counts(lost=1, may_have_arrived=2)).violations == []
    in_queue = verdict(*lost, drill="broker-restart", broker_down_at=12.0)
    assert (in_queue.dropped_by_broker, in_queue.silent, in_queue.violations) == (3, 0, [])
    assert verdict(*lost, drill="broker-restart", broker_down_at=9.5).silent == 3
    assert verdict(*lost, drill="broker-restart-durable", broker_down_at=12.0).silent == 3


def test_a_failure_knows_whether_the_message_may_have_arrived() -> None:
    assert Failure.of(exceptions.NeighborUnreachable("down", cell="east")).is_refusal
    assert not Failure.of(exceptions.NeighborUnreachable("hung", cell="east", may_arrive=True)).is_refusal
    assert not Failure.of(exceptions.CellTimeout("silent")).is_refusal


def test_casts_of_services_may_fail_like_calls_over_direct_links() -> None:
    sent = [operation("rcast", Outcome(18.0, failure=TIMEOUT), number=str(number)) for number in range(4)]
    sent += [operation("rcast", number=str(number)) for number in range(4, 12)]
    ran = {(one.number, "az1"): 1 for one in sent}
    assert verdict(*sent, ran=ran, drill="freeze-east").violations
    assert not verdict(*sent, ran=ran, drill="freeze-east", links="direct").violations


def test_more_messages_may_fail_until_direct_links_are_connected() -> None:
    sent = [operation("rcall", Outcome(18.0, failure=TIMEOUT), number=str(number)) for number in range(10)]
    assert verdict(*sent, links="direct").violations
    assert not verdict(*sent, connected_at=17.0, links="direct").violations


def test_only_losses_of_messages_without_an_answer_are_counted() -> None:
    losses = {
        "east.cast.NeighborUnreachable.lost": 3,
        "east.service_cast.here: CellNotFound.may_have_arrived": 2,
        "east.call.CellTimeout.lost": 7,
        "east.cast.NeighborUnreachable.told": 5,
        "east.broadcast_cast.in_flight": 1,
        "az1.received.killed.may_have_arrived": 4,
    }
    assert ledger.counts_of({"losses": losses}) == Counts(3, 6, 1)


def test_losses_in_the_log_are_added_up() -> None:
    log = (
        "1 WARNING cells.links.losses [-] Messages to or from cell a were given up: 3 lost (cast, X: 3 lost).\n"
        "1 WARNING cells.links.losses [-] The last manager: 2 messages that it had accepted: 2 cast (east).\n"
        "1 INFO cells.links.losses [-] Messages to or from cell a were given up: 7 told to the sender (cast).\n"
        "1 WARNING cells.links.losses [-] Cell a takes messages again: 1 lost, 4 may have arrived.\n"
    )
    assert ledger.logged(log) == 10


def test_each_figure_belongs_to_a_drill() -> None:
    assert FIGURES.keys() <= DIRECT_FIGURES.keys() <= DRILLS.keys()


def test_operations_survive_their_lines() -> None:
    one = operation("bcall", Outcome(11.0, answers=(Answer("east", REFUSED), Answer("api"))))
    assert Operation.read(one.line()) == one


def test_the_table_has_a_column_for_each_heading() -> None:
    assert report.line(verdict(operation("ecast"))).count("|") == report.heading().partition("\n")[0].count("|")

"""The end of messages that a cell gives up: each has an answer and a line in a log that no neighbor can fill."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.limited_log import MAX_LINES
from cells.links.losses import Key, Losses, Tally
from cells.messages import HERE, Response, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.confirmation import ToConfirmation, Unconfirmed
from cells.routing.outcomes import Outcomes
from cells.routing.pending import PendingCalls
from cells.routing.reply import LOG_ONLY, ToCaller
from cells.routing.waiting_call import Wait


def message(route: str) -> TargetedMessage:
    return TargetedMessage.new(
        method="note", direction=Direction.DOWN, route=CellPath.parse(route), target=CellPath.parse("api!east!az1")
    )


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (exceptions.CellNotFound("no", cell="az1"), "INFO"),
        # The link has a line of its own for it.
        (exceptions.NeighborUnreachable("no", cell="az1"), "DEBUG"),
        (exceptions.ServiceUnreachable("no", cell="az1"), "INFO"),
    ],
)
def test_an_error_of_this_project_is_logged_whether_a_caller_waits_or_not(
    error: exceptions.CellsError, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "cells.routing")
    outcomes = Outcomes()
    for sink in (ToCaller(), LOG_ONLY):
        outcomes.settle(message("api!east"), sink, Response("api!east", error=error))
    assert [record.levelname for record in caplog.records] == [level] * 2
    assert ["no caller waits" in record.getMessage() for record in caplog.records] == [False, True]


def test_a_neighbor_does_not_fill_the_log_with_messages_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cells.routing")
    outcomes = Outcomes()
    for error in (exceptions.CellNotFound("no"), exceptions.InvalidArguments("no")):
        for _ in range(10 * MAX_LINES):
            outcomes.settle(message("api!east"), LOG_ONLY, Response("api!east", error=error))
    assert len(caplog.records) == 2 * MAX_LINES


def test_each_failure_of_a_message_of_this_cell_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cells.routing")
    outcomes = Outcomes()
    for _ in range(10 * MAX_LINES):
        outcomes.settle(message("api"), LOG_ONLY, Response("api", error=exceptions.CellNotFound("no")))
    assert len(caplog.records) == 10 * MAX_LINES


@pytest.mark.parametrize("is_run_here", [False, True])
@pytest.mark.parametrize("ends_before", [False, True])
def test_a_loss_is_told_or_counted_whichever_of_the_loss_and_the_timeout_comes_first(
    is_run_here: bool, ends_before: bool
) -> None:
    pending, caller, cast = PendingCalls(10, Counters()), ToCaller(), message("api")
    error = exceptions.NeighborUnreachable("no", cell="east")

    class EndsTheWait(Losses):
        def give_up(self, key: Key, tally: Tally) -> None:
            pending.stop()
            super().give_up(key, tally)

    outcomes = Outcomes("api", EndsTheWait())
    sink = ToConfirmation(pending, "cast", HERE)
    pending.expect("cast", (HERE,), Wait(60.0, is_confirmation=True), caller, Unconfirmed(cast, 60.0))
    if ends_before:
        pending.stop()
    if is_run_here:
        outcomes.not_run(cast, sink, Response("api", error=error))
    else:
        outcomes.not_delivered(cast, sink, "east", error)
    (tally,) = [tally for key, tally in outcomes.losses.tallies().items() if key.reason]
    assert (tally.told, tally.lost) == ((0, 1) if ends_before else (1, 0))
    told = caller.future.result(0).read_one(["cells.exceptions"]).error
    assert isinstance(told, exceptions.NeighborUnreachable)
    assert bool(told.may_arrive) is ends_before

"""The end of messages that a cell gives up: each has an answer and a line in a log that no neighbor can fill."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.limited_log import MAX_LINES
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.outcomes import Outcomes
from cells.routing.reply import LOG_ONLY, ToCaller


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

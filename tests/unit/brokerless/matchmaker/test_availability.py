from __future__ import annotations

import logging

import pytest

from cells import exceptions
from cells.brokerless.matchmaker.availability import Availability, reason_of


def test_outage_is_one_line_at_its_begin_and_one_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    availability = Availability()
    for _ in range(2):
        availability.worked()
        assert availability.problem is None
        for _ in range(3):
            availability.failed(exceptions.DatabaseUnavailable("It is down."))
        assert availability.problem == "It is down."
        availability.worked()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2
    assert "It is down. " in caplog.messages[0]


def test_text_of_foreign_errors_is_not_quoted() -> None:
    assert reason_of(ValueError("redis://:s3kr3t@h")) == "unexpected ValueError."
    assert reason_of(exceptions.CellsError("No full stop")) == "No full stop."

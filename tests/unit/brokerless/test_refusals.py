"""Log lines about refused peers: one per key and minute, and a limited number for all keys."""

from __future__ import annotations

import pytest

from cells.brokerless import refusals
from cells.brokerless.refusals import Refusals
from tests.clock import Clock


def test_line_names_the_peer_and_the_command_to_accept_it(caplog: pytest.LogCaptureFixture) -> None:
    Refusals().refused("0123456789" * 4, "10.0.0.6")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "10.0.0.6" in caplog.text
    assert "01234567..." in caplog.text
    assert "012345678" not in caplog.text
    assert "cells key add NAME 'KEY'" in caplog.text


def test_each_key_is_logged_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    refusals_log = Refusals(clock)
    for _ in range(100):
        refusals_log.refused("a" * 40, "::1")
        refusals_log.refused("b" * 40, "::1")
    assert len(caplog.records) == 2
    clock.now += 59.9
    refusals_log.refused("a" * 40, "::1")
    assert len(caplog.records) == 2
    clock.now += 0.1
    refusals_log.refused("a" * 40, "::1")
    assert len(caplog.records) == 3


def test_many_keys_need_few_lines_and_little_memory(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    refusals_log = Refusals(clock)
    for number in range(1000):
        refusals_log.refused(f"{number:040}", "::1")
    assert len(caplog.records) == refusals.MAX_LINES
    assert len(refusals_log._logged) == refusals.MAX_LINES
    clock.now += refusals.INTERVAL_SECONDS
    refusals_log.refused("x" * 40, "::1")
    refusals_log.refused("y" * 40, "::1")
    assert "980 more" in caplog.records[-2].getMessage()
    assert "more" not in caplog.records[-1].getMessage()


def test_failure_is_logged_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    refusals_log = Refusals(clock)
    for _ in range(5):
        refusals_log.failed("no keys.")
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().endswith("no keys.")

"""Malformed messages are counted, and logged at a limited rate."""

from __future__ import annotations

import pytest

from cells.brokerless import malformed
from cells.brokerless.malformed import MalformedMessages


def test_many_messages_are_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    dropped = MalformedMessages()
    for number in range(1000):
        dropped.count(ValueError(f"error {number}"))
    assert len(dropped) == 1000
    assert [len(caplog.records), "error 0" in caplog.text] == [1, True]


def test_log_line_is_repeated_after_a_while(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = MalformedMessages()
    dropped.count(ValueError("one"))
    dropped.count(ValueError("two"))
    monkeypatch.setattr(malformed, "LOG_SECONDS", 0.0)
    dropped.count(ValueError("three"))
    assert [(record.args or ())[0] for record in caplog.records] == [1, 3]

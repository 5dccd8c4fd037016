"""Nonsense is counted, and said seldom."""

from __future__ import annotations

import pytest

from cells.brokerless import malformed
from cells.brokerless.malformed import MalformedMessages


def test_a_flood_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    dropped = MalformedMessages()
    for number in range(1000):
        dropped.count(ValueError(f"no JSON {number}"))
    assert len(dropped) == 1000
    assert caplog.messages == ["Messages that cannot be understood are dropped, 1 so far; the last: no JSON 0"]


def test_it_is_said_again_when_it_goes_on(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = MalformedMessages()
    dropped.count(ValueError("one"))
    dropped.count(ValueError("two"))
    monkeypatch.setattr(malformed, "LOG_SECONDS", 0.0)
    dropped.count(ValueError("three"))
    assert caplog.messages[1:] == ["Messages that cannot be understood are dropped, 3 so far; the last: three"]

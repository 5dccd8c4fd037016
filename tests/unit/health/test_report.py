"""The report about a running manager: its sections, one of which may fail or hang."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import pytest

from cells.health import report


def test_a_section_that_fails_or_hangs_costs_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "SECTION_SECONDS", 0.1)
    may_end = threading.Event()

    def hang() -> Iterable[str]:
        may_end.wait(10)
        return []

    def fail() -> Iterable[str]:
        raise ValueError("user:password")

    with caplog.at_level(logging.INFO, report.__name__):
        report.write({"Hanging": hang, "Failing": fail, "Links": lambda: ["east: up"]})
    may_end.set()
    lines = [record.getMessage() for record in caplog.records]
    assert "Report: east: up" in lines
    assert "Report: === Threads ===" in lines
    assert len([line for line in lines if "not available" in line]) == 2
    assert not [line for line in lines if "password" in line]


def test_the_stacks_name_threads_and_functions() -> None:
    text = "\n".join(report.stacks())
    assert threading.current_thread().name in text
    assert "test_the_stacks_name_threads_and_functions" in text

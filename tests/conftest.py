"""What holds for every test: threads, and no test that is skipped without a word.

oslo.service starts on eventlet unless told otherwise before oslo.messaging is
imported, and pytest imports this file before any test module.
"""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Generator
from importlib import metadata
from typing import Any

import pytest
from oslo_service import backend
from xdist.scheduler import WorkStealingScheduling

backend.init_backend(backend.BackendType.THREADING)

# It finds, reads and parses a file of the package each time, twice for each cell of a tree.
metadata.version = functools.cache(metadata.version)

# The suites there are no test modules, but what they assert is to be explained as well.
pytest.register_assert_rewrite("tests.contract")

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests stay until the end: let Python not look through them for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI=true a test that skips itself has failed: a missing server must not look like a pass."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not be skipped under CI=true: {call.excinfo and call.excinfo.value}"
    return report


def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``: one more than there are cores, because many tests wait for something."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For ``-n``: tests of one module stay together, as long as nobody is idle, and share what it makes once."""
    return WorkStealingScheduling(config, log) if config.getvalue("dist") == "load" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly how much was not tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = sorted({str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped})
        terminalreporter.write_line(
            f"!!! {len(skipped)} TESTS WERE SKIPPED, so this run proves less than it seems: {'; '.join(reasons)}",
            red=True,
            bold=True,
        )

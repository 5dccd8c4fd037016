"""Setup of all tests: the threading back end, and skipped tests that are reported loudly.

oslo.service starts on eventlet unless another back end is set before the import of
oslo.messaging; pytest imports this file before any test module.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Generator
from importlib import metadata
from typing import Any

import pytest
from oslo_config import cfg
from oslo_db import options as db_options
from oslo_service import backend
from xdist.scheduler import WorkStealingScheduling

# futurist imports eventlet, which imports a resolver for its green threads: a third of a second for each process.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

backend.init_backend(backend.BackendType.THREADING)

# The original finds, reads and parses a file of the package at each call, twice for each cell of a tree.
metadata.version = functools.cache(metadata.version)

# With the default, each commit to SQLite waits for the disk.
cfg.set_defaults(db_options.database_opts, sqlite_synchronous=False)

# The suites there are not test modules, but their assertions need explanations as well.
pytest.register_assert_rewrite("tests.contract")

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect fast: without garbage collection, and with a cache of the rewritten assertions.

    Modules and tests live until the end, so scanning them is wasted time.  Rewriting the assertions takes most of the
    time of the collection; the interpreter caches the result unless PYTHONDONTWRITEBYTECODE is set.
    """
    dont_write_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        sys.dont_write_bytecode = dont_write_bytecode


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI=true a skipped test is a failure: a missing server must not look like a pass."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not be skipped under CI=true: {call.excinfo and call.excinfo.value}"
    return report


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for ``-n auto``: one more than there are cores, because many tests wait."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule ``-n`` by work stealing: tests of a module stay together and share its fixtures."""
    return WorkStealingScheduling(config, log) if config.getvalue("dist") == "load" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = sorted({str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped})
        terminalreporter.write_line(
            f"!!! {len(skipped)} TESTS WERE SKIPPED, so this run proves less than it seems to: {'; '.join(reasons)}",
            red=True,
            bold=True,
        )

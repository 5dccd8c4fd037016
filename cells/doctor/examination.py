"""The run of the checks: side by side in each stage, and none for longer than its time."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from cells import exceptions, failure, preflight
from cells.doctor.case import Case
from cells.doctor.checks import STAGES, Check
from cells.doctor.finding import Finding, found
from cells.doctor.report import CheckRun, Report

#: A check has so much longer than the waits in it, whose errors say more.
GRACE_SECONDS = 0.5


def examine(
    case: Case,
    stages: Iterable[Sequence[Check]] = STAGES,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Run the checks and return their findings.  Returns after the time of one check for each stage, at the latest."""
    started_at = clock()
    # Before the threads: some checks compare the options that this registers.
    with contextlib.suppress(exceptions.ConfigurationError):  # the check of the configuration reports it
        preflight.check_values(case.conf)
    runs: list[CheckRun] = []
    try:
        for stage in stages:
            runs += _run(case, stage, clock)
    finally:
        case.close()
    findings = [finding for run in runs for finding in run.findings]
    named = [replace(finding, cell=finding.cell or case.path) for finding in findings]
    return Report(case.path, case.wall_clock(), clock() - started_at, tuple(runs), _sorted(named))


def without_configuration(problem: str) -> Report:
    """Return the report on a cell whose configuration cannot be read, so that no check can run."""
    return Report("", time.time(), 0.0, (), (found("configuration_unreadable", problem),))


def _run(case: Case, stage: Sequence[Check], clock: Callable[[], float]) -> list[CheckRun]:
    results: queue.SimpleQueue[tuple[int, Finding | None]] = queue.SimpleQueue()

    def run(position: int) -> None:
        check = stage[position]
        try:
            for finding in check.run(case):
                results.put((position, finding))
        except Exception as error:  # a check must not cost the others their findings
            text = f"The check of {check.name} failed: {failure.name_of(error)}: {failure.text_of(error)}"
            results.put((position, found("check_failed", " ".join(text.split()), check.name)))
        results.put((position, None))

    started_at = clock()
    deadline = started_at + case.timeout_seconds + GRACE_SECONDS
    for position in range(len(stage)):
        threading.Thread(target=run, args=(position,), name="cells-doctor", daemon=True).start()
    findings: list[list[Finding]] = [[] for _ in stage]
    seconds: dict[int, float] = {}
    while len(seconds) < len(stage):
        try:
            position, finding = results.get(timeout=max(deadline - clock(), 0.001))
        except queue.Empty:
            break
        if finding is None:
            seconds[position] = clock() - started_at
        else:
            findings[position].append(finding)
    for position, check in enumerate(stage):
        if position not in seconds:
            findings[position].append(check.overdue(case))
    return [
        CheckRun(check.name, seconds.get(position), tuple(findings[position])) for position, check in enumerate(stage)
    ]


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, each once, the worst first; otherwise in the order of the checks."""
    once = {(finding.name, finding.cell, finding.subject, finding.text): finding for finding in findings}
    return tuple(sorted(once.values(), key=lambda finding: -finding.severity))

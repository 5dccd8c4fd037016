"""The run of the checks: each within its time, none at the cost of another; the report and its status."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import pytest

from cells.doctor import KINDS, Case, Finding, Report, Severity, examine, found, without_configuration
from cells.doctor.checks import STAGES, Check
from tests.unit.doctor.fake_case import FakeManager, make_case, names


class Fixed(Check):
    name = "fixed"

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    def run(self, case: Case) -> Iterable[Finding]:
        return self.findings


class Hanging(Check):
    name = "hanging"

    def __init__(self) -> None:
        self.end = threading.Event()

    def run(self, case: Case) -> Iterator[Finding]:
        yield found("queue_full", "first")
        self.end.wait()
        yield found("queue_missing", "too late")


class Broken(Check):
    name = "broken"

    def run(self, case: Case) -> Iterable[Finding]:
        raise ValueError("a defect")


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    check = Hanging()
    try:
        yield check
    finally:
        check.end.set()


def run(*checks: Check, timeout_seconds: float = 10.0) -> Report:
    return examine(make_case(FakeManager(), timeout_seconds=timeout_seconds), [checks])


def test_nothing_found_is_well() -> None:
    report = run(Fixed())
    assert (report.status, report.verdict, report.findings) == (0, "well", ())
    assert next(report.lines()).startswith("well: 1 check")


def test_the_worst_come_first_and_each_once() -> None:
    look, bad = found("cap_too_low", "a", "east"), found("queue_full", "b", "east")
    report = run(Fixed(look, bad), Fixed(bad))
    assert names(report.findings) == ["queue_full", "cap_too_low"]
    assert (report.status, report.verdict) == (2, "broken")
    assert next(report.lines()) == "broken: 1 finding, 1 worth a look"


def test_worth_a_look() -> None:
    report = run(Fixed(found("cap_too_low", "a", "east")))
    assert (report.status, next(report.lines())) == (1, "worth a look: 1 finding")


def test_a_check_that_hangs_is_a_finding_and_keeps_what_it_has_found(hanging: Hanging) -> None:
    report = run(hanging, Fixed(found("cap_too_low", "a")), timeout_seconds=0.05)
    assert names(report.findings) == ["queue_full", "check_unfinished", "cap_too_low"]
    assert [check.seconds is None for check in report.checks] == [True, False]


def test_a_check_that_fails_costs_no_other_its_findings() -> None:
    report = run(Broken(), Fixed(found("queue_full", "a")))
    assert names(report.findings) == ["queue_full", "check_failed"]
    assert "a defect" in report.findings[1].text


def test_the_json_has_the_documented_keys() -> None:
    value = run(Fixed(found("queue_full", "a", "east"))).as_dict()
    assert list(value) == ["verdict", "status", "cell", "time", "seconds", "checks", "findings"]
    assert list(value["checks"][0]) == ["name", "is_finished", "seconds", "findings"]
    (finding,) = value["findings"]
    assert list(finding) == [
        "name", "severity", "cell", "subject", "text", "evidence", "since_seconds", "seen_by", "remedy",
    ]  # fmt: skip
    assert (finding["severity"], finding["cell"], finding["since_seconds"]) == ("broken", "api", None)


def test_a_configuration_that_cannot_be_read_is_a_finding() -> None:
    report = without_configuration("no file")
    assert (report.status, names(report.findings)) == (2, ["configuration_unreadable"])


def test_names_of_checks_are_unique() -> None:
    found_names = [check.name for stage in STAGES for check in stage]
    assert len(found_names) == len(set(found_names))


def test_every_kind_can_be_shown() -> None:
    for name, kind in KINDS.items():
        finding = found(name, "text", "east")
        assert (finding.severity in Severity, "{" in finding.remedy, kind.meaning[-1]) == (True, False, ".")

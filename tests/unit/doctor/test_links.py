"""The findings of one link: the cause before the symptom, and one reason for one failure."""

from __future__ import annotations

from typing import Any

from cells import exceptions
from cells.doctor.links import BrokerSeen, LinkFacts, findings_of
from cells.transport.broker_probe import QueueCounts
from tests.cases import each
from tests.unit.doctor.fake_case import names

RUNS = BrokerSeen(exchange="openstack", queue="q", counts=QueueCounts(0, 1))
FULL = BrokerSeen(exchange="openstack", queue="q", counts=QueueCounts(5, 1))
EMPTY = BrokerSeen(exchange="openstack", queue="q", counts=QueueCounts(7, 0))
NEVER_RUN = BrokerSeen(exchange="openstack", queue="q")
NO_EXCHANGE = BrokerSeen(exchange="openstack", has_exchange=False, queue="q")
NO_PERMISSION = BrokerSeen(exchange="openstack", may_write=False, queue="q", counts=QueueCounts(0, 1))
LOGIN, AWAY = BrokerSeen(reason="login", text="no"), BrokerSeen(reason="silent", text="no")
TIMEOUT, REFUSED = exceptions.CellTimeout("late"), exceptions.MessageRefused("full")
UP = {"state": "up", "seen_by": "h1", "last_seen_seconds": 4.0, "since_seconds": 90.0}
SILENT = {**UP, "state": "silent", "problem": "it hangs", "problem_name": "neighbor_hangs", "since_seconds": 42.0}


def facts(**known: Any) -> LinkFacts:
    return LinkFacts(name="east", **known)


@each(
    ("broker", "error", "name"),
    [
        (LOGIN, TIMEOUT, "neighbor_login"),
        (AWAY, TIMEOUT, "neighbor_broker"),
        (NO_EXCHANGE, TIMEOUT, "wrong_exchange"),
        (NO_PERMISSION, REFUSED, "neighbor_permission"),
        (FULL, REFUSED, "queue_full"),
        (EMPTY, TIMEOUT, "neighbor_manager_down"),
        (NEVER_RUN, TIMEOUT, "neighbor_manager_down"),
        (RUNS, TIMEOUT, "neighbor_hangs"),
        (RUNS, exceptions.NeighborUnreachable("away"), "neighbor_broker"),
        (None, TIMEOUT, "neighbor_silent"),
    ],
)
def test_the_broker_shows_the_cause(broker: BrokerSeen | None, error: Exception, name: str) -> None:
    link = facts(report=UP, broker=broker, is_pinged=True, ping_error=error)
    (finding,) = findings_of(link)
    # The state "up" is older than the failure.
    assert (finding.name, finding.subject, finding.seen_by, finding.since_seconds) == (name, "east", "h1", 4.0)


def test_the_report_of_the_manager_is_next() -> None:
    (finding,) = findings_of(facts(report=SILENT, broker=RUNS, is_pinged=True, ping_error=TIMEOUT))
    assert (finding.name, finding.text, finding.since_seconds) == ("neighbor_hangs", "it hangs", 42.0)


def test_a_cell_below_has_its_report_alone() -> None:
    (finding,) = findings_of(facts(report=SILENT, cell="api!east"))
    assert (finding.name, finding.cell) == ("neighbor_hangs", "api!east")


@each(
    ("report", "broker", "expected"),
    [
        (UP, RUNS, []),
        (SILENT, RUNS, []),
        (UP, EMPTY, []),
        (UP, AWAY, []),
        # The manager keeps its connection, which does not outlast a restart of the broker.
        (UP, LOGIN, ["neighbor_login"]),
        ({**UP, "problem": "two", "problem_name": "duplicate_name"}, RUNS, ["duplicate_name"]),
    ],
)
def test_an_answer_ends_an_older_problem(report: dict[str, Any], broker: BrokerSeen, expected: list[str]) -> None:
    assert names(findings_of(facts(report=report, broker=broker, is_pinged=True))) == expected


def test_a_low_cap_and_losses_are_worth_a_look() -> None:
    losses = [{"kind": "cast", "reason": "NeighborBusy", "lost": 3}]
    report = {**UP, "can_be_raised": True, "spoken": "1.0", "version": "1.4", "lost": 3, "losses": losses}
    cap, lost = findings_of(facts(report=report, is_pinged=True))
    assert (cap.name, cap.severity.text) == ("cap_too_low", "worth a look")
    assert (lost.name, "NeighborBusy" in lost.evidence) == ("messages_lost", True)


def test_a_link_that_was_never_probed() -> None:
    assert names(findings_of(facts(report={"state": "unknown"}))) == ["neighbor_unknown"]


def test_a_problem_of_another_release_is_kept() -> None:
    report = {**UP, "problem": "new", "problem_name": "of_a_later_release"}
    (finding,) = findings_of(facts(report=report))
    assert (finding.name, finding.text) == ("neighbor_silent", "new")

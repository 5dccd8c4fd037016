"""Verdict: the numbers of one drill, and the promises that were broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drills import promises
from drills.catalog import Drill
from drills.evidence import Evidence, by_column
from drills.kinds import SOURCES
from drills.ledger import Counts
from drills.operation import Operation


@dataclass(frozen=True)
class Verdict:
    """The result of one drill.

    :param sent: column -> number of messages
    :param told: column -> number of errors; ``cells``: branches of broadcasts that failed
    :param lost: column -> number of lost messages whose senders got no error
    :param unmentioned: number of cells that no answer to a broadcast mentions
    :param dropped_by_broker: number of lost messages that a restarted broker may have dropped
    :param counted: by the managers
    :param silent: number of lost messages that are neither told nor counted nor dropped by a broker
    :param doubled: number of messages that ran twice
    :param normal_after_seconds: from the end of the fault to the begin of the last message that failed
    :param longest_seconds: the longest time that a sender waited
    :param violations: one text for each promise that was broken
    """

    drill: str
    title: str
    fault_seconds: float
    sent: Mapping[str, int]
    told: Mapping[str, int]
    lost: Mapping[str, int]
    unmentioned: int
    dropped_by_broker: int
    counted: Counts
    silent: int
    doubled: int
    normal_after_seconds: float
    longest_seconds: float
    violations: Sequence[str]


def judge(drill: Drill, evidence: Evidence) -> Verdict:
    """Compare the messages that were sent, executed, reported and counted."""
    return Verdict(
        drill=drill.name,
        title=drill.title,
        fault_seconds=evidence.window.seconds,
        sent=dict(evidence.sent),
        told=dict(evidence.told),
        lost=dict(by_column(evidence.lost)),
        unmentioned=sum(map(_unmentioned, evidence.operations)),
        dropped_by_broker=promises.dropped_by_broker(drill, evidence),
        counted=evidence.counted,
        silent=promises.silent_losses(drill, evidence),
        doubled=len(evidence.doubled),
        normal_after_seconds=_normal_after(evidence),
        longest_seconds=evidence.longest_seconds,
        violations=promises.broken(drill, evidence),
    )


def _unmentioned(operation: Operation) -> int:
    if operation.kind != promises.BROADCAST_CALL or not operation.is_accepted:
        return 0
    answered = {answer.cell for answer in operation.answers()}
    return len(SOURCES[operation.source].cells(operation.kind) - answered)


def _normal_after(evidence: Evidence) -> float:
    lost = {loss.operation.number for loss in evidence.lost}
    failed = [
        one.began_at
        for one in evidence.operations
        if not one.is_accepted or one.number in lost or any(answer.failure for answer in one.answers())
    ]
    return max(0.0, max(failed, default=0.0) - evidence.window.ended_at)

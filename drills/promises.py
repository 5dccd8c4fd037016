"""The promises that hold in each drill, one function each: it returns a text for each time the promise was broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from drills.catalog import Drill
from drills.evidence import CELLS, COLUMNS, Evidence, by_column
from drills.figures import DIRECT_FIGURES, FIGURES, NONE
from drills.kinds import SOURCES, TIMEOUT_SECONDS
from tools.direct_links import Links

#: A call ends at most this much after its timeout: a tenth of it, and a second for a busy machine.
LATE_SECONDS = TIMEOUT_SECONDS / 10 + 1
BROADCAST_CALL = "bcall"
#: Messages of each kind that a process may have taken when a fault hits it: how many there are is chance.
IN_FLIGHT = 2
#: The numbers of two runs of a drill differ by some percent.
VARIATION = 1.05

Promise = Callable[[Drill, Evidence], Iterable[str]]


def broken(drill: Drill, evidence: Evidence) -> list[str]:
    """Return all broken promises."""
    return [*broken_deliveries(drill, evidence), *(text for promise in _IN_TIME for text in promise(drill, evidence))]


def broken_deliveries(drill: Drill, evidence: Evidence) -> list[str]:
    """Return the broken promises about lost, doubled and wrong messages, which hold on a slow machine, too."""
    return [*evidence.problems, *(text for promise in _DELIVERIES for text in promise(drill, evidence))]


def silent_losses(drill: Drill, evidence: Evidence) -> int:
    """Return the number of lost messages that are neither counted nor dropped by a restarted broker."""
    counted = evidence.counted
    return max(0, _total(evidence) - dropped_by_broker(drill, evidence) - counted.lost - counted.may_have_arrived)


def dropped_by_broker(drill: Drill, evidence: Evidence) -> int:
    """Return the number of lost messages that a restarted broker may have dropped with its queues."""
    if not drill.drops_queues:
        return 0
    return sum(loss.branches for loss in evidence.lost if evidence.window.may_be_queued(loss.operation))


def _total(evidence: Evidence) -> int:
    return sum(by_column(evidence.lost).values())


def _no_loss_is_silent(drill: Drill, evidence: Evidence) -> Iterator[str]:
    silent = silent_losses(drill, evidence)
    if silent:
        yield f"{silent} of {_total(evidence)} lost messages are neither told nor counted"


def _counted_losses_are_logged(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001  # a promise's signature
    counted = evidence.counted.lost + evidence.counted.may_have_arrived
    if evidence.logged < counted:
        yield f"{counted} losses are counted, but the logs tell only {evidence.logged}"


def _counted_losses_are_true(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001  # a promise's signature
    not_run = sum(by_column(evidence.not_run).values())
    if evidence.counted.lost > not_run:
        yield f"{evidence.counted.lost} messages are counted as lost, but only {not_run} did not run"
    if evidence.counted.in_flight:
        yield f"{evidence.counted.in_flight} messages are still counted as in flight"


def _orderly_restarts_lose_nothing(drill: Drill, evidence: Evidence) -> Iterator[str]:
    if drill.loses_nothing and evidence.lost:
        yield f"{_total(evidence)} messages are lost in an orderly restart"


def _each_message_has_one_outcome(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001
    for one in evidence.operations:
        if len(one.outcomes) != 1:
            yield f"{one.number} has {len(one.outcomes)} outcomes"
        cells = Counter(answer.cell for answer in one.answers())
        yield from (f"{one.number} has {count} answers of {cell}" for cell, count in cells.items() if count > 1)


def _calls_get_their_own_answer(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001
    for one in evidence.operations:
        if COLUMNS.get(one.kind) == "call" and one.is_accepted and one.outcomes[0].value != one.number:
            yield f"{one.number} was answered with {one.outcomes[0].value!r:.80}"


def _no_message_runs_twice_or_elsewhere(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001
    yield from (f"{number} ran {evidence.runs[number, cell]} times in {cell}" for number, cell in evidence.doubled)
    expected = {(one.number, cell) for one in evidence.operations for cell in SOURCES[one.source].cells(one.kind)}
    yield from (f"{number} ran in {cell}" for number, cell in evidence.runs.keys() - expected)


def _undelivered_messages_do_not_run(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001
    for one in evidence.operations:
        if one.failure is not None and one.failure.is_refusal:
            ran = [cell for cell in SOURCES[one.source].cells(one.kind) if evidence.ran(one, cell)]
            yield from (f"{one.number} ran in {cell}, but failed: {one.failure}" for cell in ran)
        for answer in one.answers():
            if answer.failure is not None and answer.failure.is_refusal and evidence.ran(one, answer.cell):
                yield f"{one.number} ran in {answer.cell}, but failed: {answer.failure}"


def _senders_do_not_wait_longer(drill: Drill, evidence: Evidence) -> Iterator[str]:  # noqa: ARG001
    if evidence.longest_seconds > TIMEOUT_SECONDS + LATE_SECONDS:
        yield f"a sender waited for {evidence.longest_seconds:.1f} s"


def _errors_are_not_more_than_before(drill: Drill, evidence: Evidence) -> Iterator[str]:
    figures = (DIRECT_FIGURES if evidence.links == "direct" else FIGURES).get(drill.name, NONE)
    # On a busy machine the fault lasts longer, and more messages meet it.
    excess_seconds = max(0.0, evidence.window.seconds_without_link - drill.usual_seconds)
    in_flight = 0 if drill.loses_nothing else IN_FLIGHT
    for kind, count in evidence.told.items():
        messages = BROADCAST_CALL if kind == CELLS else kind
        rate = sum(rate for name, rate in drill.rates.items() if COLUMNS.get(name, name) == messages)
        limit = VARIATION * max(figures.limit(one, evidence.sent[messages]) for one in _alike(kind, evidence.links))
        limit += excess_seconds * rate * len(SOURCES) + in_flight
        if count > limit:
            yield f"{count} errors of {kind}, more than {limit:.0f}"


def _alike(kind: str, links: Links) -> tuple[str, ...]:
    """Return the kinds whose figures limit a kind.

    A cast of cells.rpc waits until the next cell has it: over RabbitMQ until the broker there has it, and over a direct
    link until the manager there has it, as a call does.
    """
    return (kind, "call") if links == "direct" and kind == "rcast" else (kind,)


_DELIVERIES: tuple[Promise, ...] = (
    _no_loss_is_silent,
    _counted_losses_are_logged,
    _counted_losses_are_true,
    _orderly_restarts_lose_nothing,
    _each_message_has_one_outcome,
    _calls_get_their_own_answer,
    _no_message_runs_twice_or_elsewhere,
    _undelivered_messages_do_not_run,
)
_IN_TIME: tuple[Promise, ...] = (
    _senders_do_not_wait_longer,
    _errors_are_not_more_than_before,
)

"""Evidence: everything that is known of one drill when its processes have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from drills.kinds import KINDS, SOURCES
from drills.ledger import Counts
from drills.operation import Operation
from drills.records import Runs
from tools.direct_links import Links

#: A message may be in a queue for so long before the fault begins.
QUEUED_SECONDS = 1.0
#: Names of the columns: both kinds of calls to one cell share one.
COLUMNS = {"rcall": "call", "ecall": "call"}
CELLS = "cells"


@dataclass(frozen=True)
class Window:
    """The fault: its begin, its end, and the time at which a restarted broker had ended.

    :param connected_at: when all direct links were connected again; None: at the end of the fault
    """

    began_at: float
    ended_at: float
    broker_down_at: float | None = None
    connected_at: float | None = None

    @property
    def seconds(self) -> float:
        """The duration of the fault."""
        return self.ended_at - self.began_at

    @property
    def seconds_without_link(self) -> float:
        """The duration of the fault, and of the connects after it."""
        return max(self.ended_at, self.connected_at or 0.0) - self.began_at

    def may_be_queued(self, operation: Operation) -> bool:
        """Return whether a message may have been in a queue of the broker when the broker ended."""
        return (
            self.broker_down_at is not None
            and self.began_at - QUEUED_SECONDS <= operation.began_at <= self.broker_down_at
        )


@dataclass(frozen=True)
class Loss:
    """A message that did not run in each of its cells.

    :param branches: the number of places in which it was lost; cells below such a place are no further places
    """

    operation: Operation
    branches: int


@dataclass(frozen=True)
class Evidence:
    """The messages as sent, as executed, and as counted.

    :param counted: the losses that the managers have counted during the drill
    :param logged: number of losses in their logs
    :param problems: broken promises that were noticed before, such as a manager that ended with an error
    :param links: driver of the links
    """

    operations: Sequence[Operation]
    runs: Runs
    counted: Counts
    logged: int
    window: Window
    problems: Sequence[str] = ()
    links: Links = "rpc"

    @cached_property
    def not_run(self) -> list[Loss]:
        """The messages without an answer that did not run, whether their senders got an error or not."""
        casts = [one for one in self.operations if not KINDS[one.kind].is_call]
        return [Loss(one, branches) for one in casts if (branches := self._missing(one))]

    @cached_property
    def lost(self) -> list[Loss]:
        """The messages that did not run although their senders got no error."""
        return [loss for loss in self.not_run if loss.operation.is_accepted]

    def _missing(self, operation: Operation) -> int:
        source = SOURCES[operation.source]
        missing = {cell for cell in source.cells(operation.kind) if not self.ran(operation, cell)}
        return sum(source.before.get(cell) not in missing for cell in missing)

    def ran(self, operation: Operation, cell: str) -> bool:
        """Return whether a message has run in a cell."""
        return (operation.number, cell) in self.runs

    @cached_property
    def sent(self) -> Counter[str]:
        """Column -> number of messages."""
        return Counter(column(one) for one in self.operations)

    @cached_property
    def told(self) -> Counter[str]:
        """Column -> number of errors at senders, and the number of branches of broadcasts that failed.

        Each cell of such a branch has an answer, which is an error.
        """
        told = Counter(column(one) for one in self.operations if one.failure is not None)
        told[CELLS] = sum(map(_failed_branches, self.operations))
        return told

    @cached_property
    def doubled(self) -> list[tuple[str, str]]:
        """The messages that ran more than once, with their cells."""
        return [run for run, count in self.runs.items() if count > 1]

    @cached_property
    def longest_seconds(self) -> float:
        """The longest time that a sender waited."""
        waits = [outcome.ended_at - one.began_at for one in self.operations for outcome in one.outcomes]
        return max(waits, default=0.0)


def _failed_branches(operation: Operation) -> int:
    failed = {answer.cell for answer in operation.answers() if answer.failure is not None}
    before = SOURCES[operation.source].before
    return sum(before.get(cell) not in failed for cell in failed)


def column(operation: Operation) -> str:
    """Return the column of the table to which a message belongs."""
    return COLUMNS.get(operation.kind, operation.kind)


def by_column(losses: Iterable[Loss]) -> Counter[str]:
    """Add up losses."""
    found: Counter[str] = Counter()
    for loss in losses:
        found[column(loss.operation)] += loss.branches
    return found

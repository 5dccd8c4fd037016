"""Failover: runs a task in the best of several cells, and in the next best if that cell refuses it.

A task runs at most once: another cell is tried only after an error that proves that
nothing has run.
"""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Generic, TypeVar

from cells import exceptions
from cells.counters import Counters
from cells.failure import REMOTE_SUFFIX
from cells.limited_log import LimitedLog
from cells.scheduler.candidates import Candidate
from cells.scheduler.ranking import Ranking

T = TypeVar("T")

#: Errors that prove that nothing has run.
NOTHING_HAS_RUN = (
    exceptions.RoutingError,
    exceptions.DeliveryError,
    exceptions.ManagerBusy,
    exceptions.ServiceNotAllowed,
    exceptions.UnknownMethod,  # of a manager without the picker
)
#: Detail of such an error that disproves it: a broker that hung may still deliver the message.
MAY_ARRIVE = "may_arrive"
#: Bounds of the reasons in an error, and of those in its text.
MAX_REASONS = 1000
MAX_REASONS_IN_TEXT = 20
MAX_REASON_LENGTH = 400


@dataclass(eq=False, repr=False)
class Failover(Generic[T]):
    """The attempts to run one task, in one candidate after the other.  No thread waits."""

    ranking: Ranking
    _: KW_ONLY
    #: runs the task in a candidate, within so many seconds; must not block; raises the same errors as its future
    attempt: Callable[[Candidate, float], futures.Future[T]]
    timeout_seconds: float
    #: of the task, for errors and logs
    description: str
    counters: Counters
    #: shared by all tasks, some of which are of other cells
    log: LimitedLog
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._candidates = collections.deque(self.ranking.chosen)
        self._reasons = dict(self.ranking.rejected)
        self._deadline = self.clock() + self.timeout_seconds
        self._answer: futures.Future[T] = futures.Future()

    def start(self) -> futures.Future[T]:
        """Try the first candidate; the next attempt starts where the answer to the last one arrives.

        :returns: a future of the answer of the first candidate that does not refuse.  Its error is NoCellsAvailable if
            all refuse, CellTimeout at the deadline, or the error of a cell where the task may have run
        """
        # From now on the caller cannot cancel the future.
        self._answer.set_running_or_notify_cancel()
        self._continue(None)
        return self._answer

    def _continue(self, finished: tuple[Candidate, futures.Future[T]] | None) -> None:
        """Evaluate a finished attempt, and start others until one does not finish at once.  Never raises."""
        try:
            # A loop: a thousand candidates that fail at once must not recurse a thousand calls deep.
            while finished is None or not self._is_settled(*finished):
                candidate, attempt = finished = self._start_next()
                if not attempt.done():
                    attempt.add_done_callback(partial(self._on_finished, candidate))
                    return
        except BaseException as error:  # the caller must get it
            self._answer.set_exception(error)

    def _on_finished(self, candidate: Candidate, attempt: futures.Future[T]) -> None:
        self._continue((candidate, attempt))

    def _start_next(self) -> tuple[Candidate, futures.Future[T]]:
        if not self._candidates:
            reasons = dict(list(self._reasons.items())[:MAX_REASONS])
            raise exceptions.NoCellsAvailable(
                f"There is no cell for {self.description}{self._reasons_text()}.", reasons=reasons
            )
        seconds = self._deadline - self.clock()
        if seconds <= 0:
            raise exceptions.CellTimeout(
                f"No cell accepted {self.description} before the deadline; {len(self._candidates)} cells were not "
                f"tried{self._reasons_text()}."
            )
        candidate = self._candidates.popleft()
        try:
            return candidate, self.attempt(candidate, seconds)
        except exceptions.CellsError as error:
            failed: futures.Future[T] = futures.Future()
            failed.set_exception(error)
            return candidate, failed

    def _is_settled(self, candidate: Candidate, attempt: futures.Future[T]) -> bool:
        """Return False if nothing has run in ``candidate``, so that the next one may be tried."""
        error = attempt.exception()
        if isinstance(error, NOTHING_HAS_RUN) and not getattr(error, MAY_ARRIVE, False):
            self.counters.count("passed_over", _class_name(error))
            line = "Cell %s refuses %s: %s"
            self.log.log_about(logging.INFO, str(candidate.path), line, candidate.path, self.description, error.message)
            self._reasons.update(_reasons_of(candidate, error))
            return False
        if error is not None:
            self._answer.set_exception(error)
        else:
            self.counters.count("picked", "self" if candidate.is_self else "child")
            self._answer.set_result(attempt.result())
        return True

    def _reasons_text(self) -> str:
        reasons = [f"{path}: {reason.rstrip('.')}" for path, reason in self._reasons.items()]
        if len(reasons) > MAX_REASONS_IN_TEXT:
            reasons[MAX_REASONS_IN_TEXT:] = [f"and {len(reasons) - MAX_REASONS_IN_TEXT} more"]
        return f" ({'; '.join(reasons)})" if reasons else ""


def _reasons_of(candidate: Candidate, error: exceptions.CellsError) -> dict[str, str]:
    """Return full path -> reason of a cell that refuses; of a child that has tried its children, their reasons."""
    # Another cell has sent them: their types are not guaranteed.
    sent = getattr(error, "reasons", None)
    found = list(sent.items())[:MAX_REASONS] if isinstance(sent, Mapping) else []
    reasons = {str(path): _short(str(reason)) for path, reason in found}
    return reasons or {str(candidate.path): _short(error.message or _class_name(error))}


def _short(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_LENGTH else f"{reason[:MAX_REASON_LENGTH]}..."


def _class_name(error: BaseException) -> str:
    """Return the name of the class that was raised, in this cell or in another one."""
    return type(error).__name__.removesuffix(REMOTE_SUFFIX)

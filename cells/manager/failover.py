"""Trials: what is wanted of a cell, tried with one candidate after the other until one takes it.

It runs at most once: another cell is tried only after an error that says that nothing has run.
"""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from functools import partial
from typing import Generic, TypeVar

from cells import exceptions
from cells.counters import Counters
from cells.failure import REMOTE_SUFFIX
from cells.scheduler.candidates import Candidate
from cells.scheduler.ranking import Ranking

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: Errors that say that nothing has run.
NOTHING_HAS_RUN = (
    exceptions.RoutingError,
    exceptions.DeliveryError,
    exceptions.ManagerBusy,
    exceptions.ServiceNotAllowed,
    exceptions.UnknownMethod,  # of a manager that is older than picking
)
#: The detail of such an error that says the contrary: a broker that hung may take the message yet.
MAY_ARRIVE = "may_arrive"
#: Of so many cells it is said why they were not picked, and in the text of an error itself of so many.
MAX_REASONS = 1000
MAX_REASONS_IN_TEXT = 20
MAX_REASON_LENGTH = 400


class Trials(Generic[T]):
    """The candidates for one call or cast, tried one after the other.  No thread waits."""

    def __init__(  # noqa: PLR0913  # all but one by keyword
        self,
        ranking: Ranking,
        *,
        attempt: Callable[[Candidate, float], futures.Future[T]],
        timeout_seconds: float,
        what: str,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """:param attempt: tries a candidate, in so many seconds; must not block; may raise as its future may
        :param what: is tried, as errors and logs name it
        """
        self._waiting = collections.deque(ranking.chosen)
        self._reasons = dict(ranking.rejected)
        self._attempt = attempt
        self._what = what
        self._counters = counters
        self._clock = clock
        self._deadline = clock() + timeout_seconds
        self._answer: futures.Future[T] = futures.Future()

    def start(self) -> futures.Future[T]:
        """Try the first; the others are tried where its answer comes in.

        :returns: a future of what the first candidate answered that took it.  Its error is NoCellsAvailable if none
            did, CellTimeout if the time was over before that, or what went wrong where it may have run
        """
        # Nobody who holds it can cancel it from now on.
        self._answer.set_running_or_notify_cancel()
        self._go_on(None)
        return self._answer

    def _go_on(self, heard: tuple[Candidate, futures.Future[T]] | None) -> None:
        """Judge what was heard, and try candidates until one of them has to be waited for.  Never raises."""
        try:
            # A loop: a thousand children that fail at once must not be a thousand calls deep.
            while heard is None or not self._is_settled(*heard):
                candidate, trial = heard = self._try_next()
                if not trial.done():
                    trial.add_done_callback(partial(self._hear, candidate))
                    return
        except Exception as error:  # it is whoever asked that has to hear it
            self._answer.set_exception(error)

    def _hear(self, candidate: Candidate, trial: futures.Future[T]) -> None:
        self._go_on((candidate, trial))

    def _try_next(self) -> tuple[Candidate, futures.Future[T]]:
        if not self._waiting:
            reasons = dict(list(self._reasons.items())[:MAX_REASONS])
            raise exceptions.NoCellsAvailable(f"There is no cell for {self._what}{self._because()}.", reasons=reasons)
        seconds = self._deadline - self._clock()
        if seconds <= 0:
            raise exceptions.CellTimeout(
                f"No cell has taken {self._what} in time; {len(self._waiting)} were not asked yet{self._because()}."
            )
        candidate = self._waiting.popleft()
        try:
            return candidate, self._attempt(candidate, seconds)
        except exceptions.CellsError as error:
            failed: futures.Future[T] = futures.Future()
            failed.set_exception(error)
            return candidate, failed

    def _is_settled(self, candidate: Candidate, trial: futures.Future[T]) -> bool:
        """Whether ``candidate`` has taken it; if not, and nothing has run there, the next one may be tried."""
        error = trial.exception()
        if isinstance(error, NOTHING_HAS_RUN) and not getattr(error, MAY_ARRIVE, False):
            self._counters.count("passed_over", _class_name(error))
            LOG.info("Cell %s does not take %s: %s", candidate.path, self._what, error.message)
            self._reasons.update(_reasons_of(candidate, error))
            return False
        if error is not None:
            self._answer.set_exception(error)
        else:
            self._counters.count("picked", "self" if candidate.is_self else "child")
            self._answer.set_result(trial.result())
        return True

    def _because(self) -> str:
        told = [f"{path}: {reason.rstrip('.')}" for path, reason in self._reasons.items()]
        if len(told) > MAX_REASONS_IN_TEXT:
            told[MAX_REASONS_IN_TEXT:] = [f"and {len(told) - MAX_REASONS_IN_TEXT} more"]
        return f" ({'; '.join(told)})" if told else ""


def _reasons_of(candidate: Candidate, error: exceptions.CellsError) -> dict[str, str]:
    """Full path of a cell -> why it did not take it; of a child that has looked further, those that it gave."""
    # They come from another cell: what they should be is no promise that they are.
    told = getattr(error, "reasons", None)
    found = list(told.items())[:MAX_REASONS] if isinstance(told, Mapping) else []
    reasons = {str(path): _short(str(reason)) for path, reason in found}
    return reasons or {str(candidate.path): _short(error.message or _class_name(error))}


def _short(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_LENGTH else f"{reason[:MAX_REASON_LENGTH]}..."


def _class_name(error: BaseException) -> str:
    """The name of its class where it was raised."""
    return type(error).__name__.removesuffix(REMOTE_SUFFIX)

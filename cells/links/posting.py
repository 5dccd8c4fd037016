"""Messages for drivers that accept them at once: no send queue and no thread, only the reports of their outcomes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cells import exceptions
from cells.drivers.base import OnDone, Outgoing, PostingDriver, Target
from cells.links.delivery import DeliveryReports, call_back
from cells.links.link import ABOUT_THE_MESSAGE
from cells.links.send_queue import DirectReply, OnFailure, OnSent, SendRequest

#: Errors that do not tell whether the neighbor can be reached.
_NOT_ABOUT_THE_LINK = (
    *ABOUT_THE_MESSAGE,
    exceptions.NeighborBusy,
    exceptions.CallTimeout,
    exceptions.ManagerStopping,
)


class Posting:
    """Hands messages to such drivers.  Thread-safe."""

    def __init__(self, reports: DeliveryReports, clock: Callable[[], float]) -> None:
        self._reports = reports
        self._clock = clock
        self._drivers: set[PostingDriver] = set()
        self._lock = threading.Lock()
        #: neighbors whose last message was given up
        self._failing: set[str] = set()

    def post(self, driver: PostingDriver, cell: Target, requests: Sequence[SendRequest], room_deadline: float) -> None:
        """Send messages, in their order.  Never raises; blocks only until ``room_deadline``.

        :param room_deadline: as of :meth:`cells.links.Links.send`
        """
        if room_deadline:
            driver.wait_for_room(cell, room_deadline)
        self._drivers.add(driver)
        # Before the driver can report an outcome.
        self._reports.losses.accept(cell.name, [message.kind for message, _, _ in requests])
        posted: list[tuple[Outgoing, OnDone]] = []
        # The first message stands for all that are posted together.
        posted_at: float | None = self._clock()
        for message, on_failure, on_sent in requests:
            outcome = _Outcome(self, cell, message.kind, posted_at, on_failure, on_sent)
            posted_at = None
            if isinstance(message, DirectReply):
                outcome(exceptions.ClientGone(f"Clients of cell {cell.name} cannot be reached.", cell=cell.name))
            else:
                posted.append((message, outcome))
        driver.post(cell, posted)

    def wait_until_idle(self, until: float) -> None:
        """Wait until all outcomes are known, at most until a time of the clock."""
        for driver in tuple(self._drivers):
            driver.wait_until_idle(max(0.0, until - self._clock()))

    def done(  # noqa: PLR0913  # the parts of one outcome
        self,
        cell: Target,
        kind: str,
        posted_at: float | None,
        error: exceptions.CellsError | None,
        on_failure: OnFailure,
        on_sent: OnSent | None,
    ) -> None:
        """Report the outcome of one message."""
        reports, name = self._reports, cell.name
        if error is None:
            if posted_at is not None:
                reports.observe_wait(self._clock() - posted_at)
            if name in self._failing and self._changed(name, is_failing=False):
                reports.delivered(cell, None, was_failing=True)
            else:
                reports.sent(1)
            if on_sent is not None:
                call_back(on_sent)
            reports.losses.deliver(name, [kind])
        else:
            if not isinstance(error, _NOT_ABOUT_THE_LINK):
                reports.delivered(cell, error, was_failing=not self._changed(name, is_failing=True))
            reports.refuse(error, kind, on_failure)
            reports.losses.pass_on(name, [kind])

    def _changed(self, name: str, *, is_failing: bool) -> bool:
        """Take note whether messages for a neighbor are given up; return whether that is new."""
        with self._lock:
            if (name in self._failing) == is_failing:
                return False
            (self._failing.add if is_failing else self._failing.discard)(name)
            return True


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Takes the outcome of one message."""

    posting: Posting
    cell: Target
    kind: str
    #: None: the time until the outcome is not measured
    posted_at: float | None
    on_failure: OnFailure
    on_sent: OnSent | None

    def __call__(self, error: exceptions.CellsError | None) -> None:
        self.posting.done(self.cell, self.kind, self.posted_at, error, self.on_failure, self.on_sent)
